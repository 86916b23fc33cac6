"""A virus scanner that speaks clamd's protocol over TCP and knows one virus: EICAR's test string.

    python -m deploy.standins.clamav --port 8206 --http-port 8207

- TCP: `PING`, `VERSION` and `INSTREAM` (clamd(8)), each as `z…` ended by a zero byte or `n…` ended by a new line. The
  string is found wherever it stands in what is sent; inside compressed streams it is not, as this unpacks nothing.
- HTTP: `GET /live`; `GET /scans` lists the newest verdicts with the size of what was scanned, and `/` shows them.
"""
