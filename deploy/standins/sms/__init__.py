"""An SMS gateway with eSMS's JSON API, whose only phone is a page.

    python -m deploy.standins.sms --port 8203

- `POST /MainService.svc/json/SendMultipleMessage_V4_post_json/` with ApiKey, SecretKey, Phone, Content, Brandname,
  SmsType, IsUnicode, RequestId. It answers 200 with CodeResult: "100" accepted, "101" wrong key or secret,
  "104" no brandname, "108" wrong phone number, "110" wrong data, "118" unsupported type, "124" the RequestId was used
  within the last 24 hours (nothing is sent a second time; SMSID is that of the first).
- `GET /messages` (`?phone=0900000001`) lists what was received, newest first; `/` shows it to people.

Environment:
    MOTCUA_SMS_KEY, MOTCUA_SMS_SECRET   what the sender must show
"""
