// Sends a chosen file straight to object storage and says how far it is. Without this script the form does it the slow way.
"use strict";
(() => {
  if (!window.crypto || !crypto.subtle || !window.fetch) return;
  const token = document.querySelector('meta[name="form-token"]').content;
  const hex = (bytes) => [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, "0")).join("");

  const ask = (path, body) =>
    fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Form-Token": token },
      body: body && JSON.stringify(body),
    });

  async function leave(form, file) {
    const sha256 = hex(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    const about = { file_name: file.name, content_type: file.type, size: file.size, sha256 };
    const answer = await ask(form.action + "/phieu", about);
    if (!(answer.headers.get("content-type") || "").includes("json")) throw new Error("Phiên làm việc đã hết. Vui lòng tải lại trang.");
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.detail || found.title);
    return found;
  }

  function store(ticket, file, progress) {
    const body = new FormData();
    for (const [name, value] of Object.entries(ticket.fields)) body.append(name, value);
    body.append("file", file);
    return new Promise((done, fail) => {
      const call = new XMLHttpRequest(); // fetch() cannot tell how much was sent
      const lost = () => fail(new Error("Mất kết nối khi tải tệp lên. Vui lòng thử lại."));
      call.open("POST", ticket.url);
      call.upload.onprogress = (sent) => { if (sent.lengthComputable) progress.value = (100 * sent.loaded) / sent.total; };
      call.onload = () => (call.status < 300 ? done() : fail(new Error("Kho tệp không nhận tệp này. Vui lòng chọn lại tệp.")));
      call.onerror = call.ontimeout = lost;
      call.timeout = 300000;
      call.send(body);
    });
  }

  async function send(form, file, say, progress) {
    say.textContent = "Đang kiểm tra tệp…";
    const ticket = await leave(form, file);
    say.textContent = "Đang tải lên…";
    try {
      await store(ticket, file, progress);
    } catch (trouble) {
      await ask(form.action.replace(/\/thanh-phan\/.*/, "/tep/" + ticket.upload_id + "/xoa"));
      throw trouble;
    }
    say.textContent = "Đang quét mã độc và đọc tệp…"; // when this fails, sending the dossier does it
    await ask(form.action.replace(/\/thanh-phan\/.*/, "/tep/" + ticket.upload_id + "/kiem-tra"));
    say.textContent = "Đã tải lên xong.";
    location.assign(form.action.replace(/\/thanh-phan\/.*/, "/thanh-phan"));
  }

  for (const form of document.querySelectorAll("form[data-upload]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const input = form.querySelector('input[type="file"]');
      const [say, progress, button] = ["[data-say]", "progress", "button"].map((what) => form.querySelector(what));
      const file = input.files[0];
      say.className = "";
      progress.hidden = false;
      progress.value = 0;
      button.disabled = true;
      try {
        if (file.size > Number(input.dataset.limit)) throw new Error("Tệp quá lớn. Vui lòng chọn tệp nhỏ hơn.");
        await send(form, file, say, progress);
      } catch (trouble) {
        say.className = "error";
        say.textContent = trouble.message;
        progress.hidden = true;
        button.disabled = false;
      }
    });
  }
})();
