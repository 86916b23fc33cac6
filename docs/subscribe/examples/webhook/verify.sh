#!/bin/sh
# Checks one stored webhook at a shell, with openssl 3 alone: for finding out what is wrong, not for production.
#
#   MOTCUA_WEBHOOK_KEY=whsec_… ./verify.sh <webhook-id> <webhook-timestamp> "<webhook-signature>" body.json
#
# Prints which signature is good; exit status 1 if none is.
set -eu
id=$1 timestamp=$2 signatures=$3 body=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

{ printf '%s.%s.' "$id" "$timestamp"; cat "$body"; } > "$work/signed"
printf '%s' "${MOTCUA_WEBHOOK_KEY#*_}" | openssl base64 -d -A > "$work/key"

hmac() {
    hex=$(od -An -v -tx1 "$work/key" | tr -d ' \n')
    mine=$(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary "$work/signed" | openssl base64 -A)
    [ "$mine" = "$1" ]
}

ed25519() {
    # What comes before the 32 bytes of a public key in its X.509 form (RFC 8410).
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; cat "$work/key"; } > "$work/public.der"
    printf '%s' "$1" | openssl base64 -d -A > "$work/signature"
    openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$work/public.der" \
        -in "$work/signed" -sigfile "$work/signature" > /dev/null 2>&1
}

for signature in $signatures; do
    case "$MOTCUA_WEBHOOK_KEY $signature" in
        whsec_*" v1,"*) if hmac "${signature#v1,}"; then echo "good: v1"; exit 0; fi ;;
        whpk_*" v1a,"*) if ed25519 "${signature#v1a,}"; then echo "good: v1a"; exit 0; fi ;;
    esac
done
echo "no signature by this key" >&2
exit 1
