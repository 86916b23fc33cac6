"""An SMS gateway with eSMS's JSON API and Viettel's BulkSMS SOAP service, whose only phone is a page.

    python -m deploy.standins.sms --port 8203

- `POST /MainService.svc/json/SendMultipleMessage_V4_post_json/` with ApiKey, SecretKey, Phone, Content, Brandname,
  SmsType, IsUnicode, RequestId. It answers 200 with CodeResult: "100" accepted, "101" wrong key or secret,
  "104" no brandname, "108" wrong phone number, "110" wrong data, "118" unsupported type, "124" the RequestId was used
  within the last 24 hours (nothing is sent a second time; SMSID is that of the first). With a CallbackUrl it tells
  (GET, five times at most) that the message arrived; a number that ends in 000 is out of reach.
- `POST /bulkapi`: SOAP 1.1, `wsCpMt` of `http://impl.bulkSms.ws/`; result 1 "Insert MT_QUEUE: OK", or 0 and why; the
  same content to the same number within 24 hours is "DUPLICATE MESSAGE". It never tells whether a message arrived.
- `POST /moods` `{"esms": "refuses"}`: takes nothing (503); `loses_answers`: takes it and answers 500; `well`.
- `GET /messages` (`?phone=0900000001`) lists what was received, newest first; `/` shows it to people.

Environment:
    MOTCUA_SMS_KEY, MOTCUA_SMS_SECRET   what a sender must show at eSMS
    MOTCUA_VIETTEL_USER, MOTCUA_VIETTEL_PASSWORD, MOTCUA_VIETTEL_CP_CODE   the same at Viettel; empty: nobody may
"""
