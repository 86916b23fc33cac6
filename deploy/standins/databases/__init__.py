"""The data sharing platform with its databases: population, civil status, land, business. Fictional people only.

    python -m deploy.standins.databases --port 8210

- `POST /lookups` `{database, kind, key, purpose, legal_basis}` with `Authorization: Bearer <key>`. It answers 200 with
  `{"record": {…}}`, 404 when the database knows nothing under the key, 401 for a wrong key, 422 without purpose or
  legal basis, 503 while the database is away.
- `POST /outages` `{database, away}` takes one database away, or brings it back.
- `GET /asked` lists what was asked, newest first: never under which key.

Environment:
    MOTCUA_DATABASES_KEY   what who asks must show
    MOTCUA_TENANT          the folder with `people.yaml` and `records.yaml`
"""
