// A form with data-passkey asks the browser for a security key, writes what it signed into the form, and sends it.
'use strict'
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0))
const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
const known = list => (list || []).map(one => ({ ...one, id: bytes(one.id) }))

async function ask(form) {
  const o = JSON.parse(form.dataset.options)
  o.challenge = bytes(o.challenge)
  if (form.dataset.passkey === 'create') {
    o.user.id = bytes(o.user.id)
    o.excludeCredentials = known(o.excludeCredentials)
    return navigator.credentials.create({ publicKey: o })
  }
  o.allowCredentials = known(o.allowCredentials)
  return navigator.credentials.get({ publicKey: o })
}

function plain(key) {
  const r = key.response
  const response = { clientDataJSON: text(r.clientDataJSON) }
  for (const name of ['attestationObject', 'authenticatorData', 'signature', 'userHandle']) if (r[name]) response[name] = text(r[name])
  return { id: key.id, rawId: text(key.rawId), type: key.type, response }
}

for (const form of document.querySelectorAll('form[data-passkey]')) {
  form.addEventListener('submit', async event => {
    event.preventDefault()
    try {
      form.elements.khoa.value = JSON.stringify(plain(await ask(form)))
      form.submit()
    } catch (trouble) {
      form.querySelector('[data-trouble]').hidden = false
    }
  })
}
