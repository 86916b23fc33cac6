"""A post office that takes orders for letters, and whose postman is whoever looks at its page.

    python -m deploy.standins.post --port 8208

- `POST /orders` with CustomerCode, OrderNumber, CODAmount, Sender… and Receiver… (Fullname, Address, Tel), signed by
  `X-Signature` (hex HMAC-SHA256 of the body). It answers 200 with the ItemCode; the same OrderNumber again gets the
  same one; 403 for a wrong signature, 422 for a missing field.
- `POST /orders/{OrderNumber}/{status}`: the letter is `shipped`, `delivered` or `failed`; the sender is told at once by
  a call with OrderNumber, ItemCode, Status, Reason, signed the same way.
- `GET /orders` lists what was ordered, newest first; `/` shows it to people.

Environment:
    MOTCUA_POST_SECRET         what both sides sign with
    MOTCUA_POST_CALLBACK_URL   whom to tell
"""
