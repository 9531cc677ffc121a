"use strict";
const field = (id) => document.getElementById(id);

async function ask(path, body) {
  const headers = { "content-type": "application/json" };
  if (field("key").value) headers.authorization = "Bearer " + field("key").value;
  const answer = await fetch(path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error || answer.statusText);
  return value;
}

async function models() {
  const told = await ask("/version");
  for (const side of ["left", "right"]) {
    field(side).replaceChildren(...told.models.map((m) => new Option(m.name, m.name)));
  }
  if (told.models.length > 1) field("right").selectedIndex = 1;
}

function question(model) {
  const split = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
  const body = { model, k: Number(field("k").value) };
  if (field("text").value.trim()) return { ...body, text: field("text").value.trim() };
  if (field("history").value.trim()) return { ...body, history: split(field("history").value), reasons: true };
  return { ...body, user: field("user").value.trim(), reasons: true };
}

function shown(answer, both) {
  const part = document.createElement("section");
  const head = document.createElement("h2");
  head.textContent = answer.model;
  part.append(head);
  if (answer.fallback) {
    const note = document.createElement("p");
    note.className = "note";
    note.textContent = "By popularity: " + answer.fallback;
    part.append(note);
  }
  const list = document.createElement("ol");
  for (const item of answer.items) {
    const row = document.createElement("li");
    row.dataset.item = item.item_id;
    row.textContent = item.title || item.item_id;
    if (both.has(item.item_id)) row.className = "same";
    const small = document.createElement("small");
    small.textContent = item.because ? "because of " + item.because : item.item_id;
    row.append(small);
    list.append(row);
  }
  part.append(list);
  return part;
}

field("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  field("problem").textContent = "";
  try {
    if (!field("left").value) await models();
    const sides = [field("left").value, field("right").value];
    const answers = await Promise.all(sides.map((model) => ask("/recommend", question(model))));
    const [left, right] = answers.map((a) => new Set(a.items.map((i) => i.item_id)));
    const both = new Set([...left].filter((id) => right.has(id)));
    field("lists").replaceChildren(...answers.map((a) => shown(a, both)));
  } catch (error) {
    field("problem").textContent = error.message;
  }
});
// what stands behind # never leaves the browser: #user=u1, #text=a%20heist, #key=…
const given = new URLSearchParams(location.hash.slice(1));
for (const name of ["user", "history", "text", "key", "k"]) {
  if (given.has(name)) field(name).value = given.get(name);
}
models().then(() => {
  if (given.has("user") || given.has("history") || given.has("text")) field("ask").requestSubmit();
}).catch((error) => { field("problem").textContent = error.message; });
