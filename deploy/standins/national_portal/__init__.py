"""The National Public Service Portal as provinces synchronise their dossiers with it. Fictional people only.

    python -m deploy.standins.national_portal --port 8211

What is public about the protocol are its services, field names, codes and order (systems of provinces that are open
source); the rest is reconstructed, strictly: what the real one may let pass is refused here.

- `POST /token` `{"client_id", "client_secret"}` gives `{"access_token", "expires_in", "token_type"}`.
- Everything else is `POST /<service>` with `Authorization: Bearer …`, and is answered with HTTP 200 and
  `{"error_code": "00", "message", "result"}` whether it was done or not: the code tells. For each dossier, in order:
  1. `LayMaHoSo` `{MaTTHC, MaHoSo}`: the province's code is reserved; the same one again gives the same `IdHoSo`.
  2. `TaiTepTin` multipart, `HashTepTin` (SHA-256 in hex), then the file: `{IdTepTin, HashTepTin}`.
  3. `DongBoHoSo` `{isUpdating: "False"|"True", data: [record]}`.
  4. `CapNhatTienDoHoSo` `{data: [progress, …]}`: each is added, also one that is there already.
  5. `CapNhatTrangThaiHoSo` `{data: [{MaHoSo, TrangThai}]}`: only a status that a progress line tells.
  And `TraCuuHoSo` `{MaHoSo}`: what the portal has.
- `POST /behaviour` makes it be down, slow, refuse a service, take its tokens back, or do the work and lose the answer.
- `GET /` and `/dossiers`, `/dossiers/<code>`, `/calls` show what it has and was asked; the real one has no such pages.

Codes: 00 done · 01 token · 02 client · 10 field · 11 status · 12 hash · 20 no such dossier · 21 exists · 22 code not
reserved · 23 no such file · 24 status without progress · 25 ended · 98 busy · 99 error of the system.

Times are yyyyMMddHHmmss in Viet Nam. Every value is a string, as provinces send them.

Environment:
    MOTCUA_NATIONAL_SYNC_CLIENT_ID, MOTCUA_NATIONAL_SYNC_CLIENT_SECRET   what the province is known by
    MOTCUA_NATIONAL_SYNC_TOKEN_SECONDS   how long a token lives; default 600
"""
