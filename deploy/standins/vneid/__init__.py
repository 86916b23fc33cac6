"""VNeID, as far as a portal sees it: an OpenID Connect provider whose people are the tenant's fictional ones.

    python -m deploy.standins.vneid --port 8201

Authorization code flow with PKCE S256, state and nonce, all required; client authentication at the token
endpoint (client_secret_basic or client_secret_post); ID tokens signed with ES256, the key made from the client's
secret; codes work once and for a minute. There is no public VNeID protocol document: the claims are those seen in
practice (`SoDinhDanh`, `HoVaTen` …), dates as dd/MM/yyyy, the level of the account as `acr`, `loAs` and `IAL`
("1" or "2").

`prompt=login` (or `max_age=0`) asks for the login again, which interlinked services and step-up need; `auth_time` says
when it was. Below `/cong-quoc-gia` the same process is the national portal (Cổng Dịch vụ công quốc gia): another issuer
with another key and the same client, where businesses log in too (`MaSoThue`, `TenDoanhNghiep`).

A program logs in like a browser: it posts `identity_number=000190000001` (or `cancel=1`) as a form to the
authorization URL and is sent back to the redirect URI.

Environment:
    MOTCUA_VNEID_ISSUER          the address under which browsers and identity reach it, http://127.0.0.1:8201
    MOTCUA_VNEID_CLIENT_ID       the portal
    MOTCUA_VNEID_CLIENT_SECRET   its secret
    MOTCUA_GATEWAY_URL           where people may be sent back to: redirect URIs below this address
                                 (several, separated by commas)
    MOTCUA_TENANT                folder with people.yaml and tenant.yaml; default deploy/tenants/an-binh
    MOTCUA_VNEID_CODE_SECONDS    life of an authorization code; default 60
"""
