"""A mail server that accepts everything and delivers it to a page.

    python -m deploy.standins.mail --port 8204 --http-port 8205

- SMTP at `--port`: no authentication, no TLS, internationalised addresses (SMTPUTF8), 25 MB a message.
- `GET /messages` (`?to=an.nguyen@example.vn`) lists what was received, newest first; `GET /messages/{id}` adds text,
  HTML and headers; `GET /messages/{id}/attachments/{index}` is a file. `/` shows it to people.

It needs nothing from the environment.
"""
