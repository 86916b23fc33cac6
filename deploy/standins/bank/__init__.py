"""The banks and wallets of the outside world: VNPAY 2.1.0, MoMo v2, the national platform, and an account for VietQR.

Every one signs exactly as the real one.

    python -m deploy.standins.bank --port 8202

- `GET /paymentv2/vpcpay.html?vnp_…` shows the amount and the code with "Thanh toán" and "Huỷ". A program posts
  `decision=pay` or `decision=cancel` as a form to the same URL, as the browser does.
- After the decision the merchant's IPN URL is called (GET, signed), again and again until it answers RspCode 00
  or 02 or ten calls were made; the browser is sent to vnp_ReturnUrl with the same signed parameters meanwhile.
- `POST /merchant_webapi/api/transaction` answers `querydr` and `refund`.
- MoMo: `/v2/gateway/api/{create,query,refund}`, page `/momo/<orderId>`, IPN by POST until 204.
- National platform: `/national/{init,bill}`, page `/national/<MaThamChieu>`, confirmation by POST until MaLoi 00.
- VietQR: `POST /account/transfers {"qr": …}` is a phone that pays; `GET /account/statement` is camt.053.
- `GET /statements/{vnpay,momo}.csv`: what moved so far, as the payment service imports it.
- `POST /behaviour` makes it late, repeat itself, forge, reorder, keep silent, take money back, refuse refunds.
- `GET /transactions` lists what happened, for people and tests; the real bank has no such page.

Parameters are sorted, form-encoded, joined by `&` and signed with HMAC-SHA512 into vnp_SecureHash; amounts are
đồng × 100; times are yyyyMMddHHmmss in Viet Nam.

Environment:
    MOTCUA_VNPAY_TMN_CODE            the merchant's code
    MOTCUA_VNPAY_SECRET              the secret that both sides sign with
    MOTCUA_VNPAY_IPN_URL             the merchant's callback, http://127.0.0.1:8103/api/v1/callbacks/vnpay
    MOTCUA_MOMO_PARTNER_CODE, MOTCUA_MOMO_ACCESS_KEY, MOTCUA_MOMO_SECRET
    MOTCUA_NATIONAL_PARTNER, MOTCUA_NATIONAL_SECRET, MOTCUA_NATIONAL_CONFIRM_URL
    MOTCUA_VIETQR_ACCOUNT            the collecting account
    MOTCUA_VNPAY_IPN_RETRY_SECONDS   pause before the callback is repeated; default 5 (the real one: 300)
"""
