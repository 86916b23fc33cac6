#!/bin/sh
# Subscribes a webhook: a token, then the subscription. Needs curl 7.82 or later, and openssl.
#
#   IDENTITY=https://dinh-danh.anbinh.example.vn  EVENTS=https://su-kien.anbinh.example.vn \
#   NAME=giam-sat  SECRET=…  ./subscribe.sh https://webhook.giam-sat.anbinh.example.vn/mot-cua
#
# Prints the new subscription as JSON: keep `id`, and `signing_key`, which is shown this once.
set -eu
url=$1

token() { # lasts five minutes; the secret goes in by standard input, so that no list of processes shows it
    printf '%s' "$SECRET" | curl --silent --show-error --fail "$IDENTITY/oauth/token" \
        --data grant_type=client_credentials --data audience=notification \
        --data-urlencode "client_id=$NAME" --data-urlencode client_secret@- |
        sed 's/.*"access_token": *"\([^"]*\)".*/\1/'
}

# The key makes a repetition harmless when an answer was lost; a repeated answer does not show the signing key again.
curl --silent --show-error --fail-with-body --retry 3 --retry-connrefused "$EVENTS/api/v1/subscriptions" \
    --header "Authorization: Bearer $(token)" \
    --header "Idempotency-Key: $(openssl rand -hex 16)" \
    --json "{\"url\": \"$url\", \"types\": [], \"start\": \"now\", \"signing\": \"${SIGNING:-hmac-sha256}\"}"
echo
