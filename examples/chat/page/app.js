// The page: what the connection says becomes visible, what is typed is sent.

import { Connection } from "./connection.js";
import { takeImages } from "./images.js";
import { Log, avatar, element } from "./log.js";

const largestImage = 4 * 1024 * 1024; // the server closes with 1009 above
const longestText = 2000;

const $ = (id) => document.getElementById(id);
const log = new Log($("log"), $("newest"));
const url = new URL("ws", location.href);
url.protocol = url.protocol.replace("http", "ws");
const connection = new Connection(url, ["chat"]);

let wanted = ""; // the name to join with; empty for who has not joined or has left
let greeted = false; // the server has said hello on this connection
let me = null; // the server's { id, name } for us, once we have joined
let announced = null; // the message about the image that comes next
let seen = 0; // date of the latest message shown
let pending = []; // what we sent and have not heard back: the text, or null for an image

const list = new Intl.ListFormat("en");

// What comes from the server.

const handlers = {
  id(m) {
    greeted = true;
    showUsers(m.users ?? []);
    if (wanted) askIn();
  },
  rejectusername(m) {
    notify(`${m.text}, so you are ${m.name}.`);
  },
  username(m) {
    me = m;
    wanted = $("name").value = m.name;
    remember();
    log.busy = false;
    showJoined();
  },
  userlist(m) {
    showUsers(m.users ?? []);
  },
  joined(m) {
    log.event(m.id === me?.id ? `You joined as ${m.name}` : `${m.name} joined`, m.date);
  },
  left(m) {
    log.event(`${m.name} left`, m.date);
  },
  message(m) {
    if (isNews(m)) log.text(m, heard(m));
  },
  image(m) {
    announced = m;
  },
  error(m) {
    notify(m.text, "error");
    giveBack(pending.splice(0, 1));
  },
};

connection.addEventListener("message", ({ data }) => {
  if (typeof data === "string") {
    const m = JSON.parse(data);
    handlers[m.type]?.(m);
    return;
  }
  const m = announced;
  announced = null;
  if (m && isNews(m)) log.image(m, data.slice(0, data.size, m.mime), heard(m));
});

// isNews tells what is new from the history, which also who comes back gets.
function isNews(m) {
  if (!me && m.date <= seen) return false;
  seen = m.date;
  return true;
}

// heard reports whether m is ours, and has come back from the server then.
function heard(m) {
  if (m.id !== me?.id) return false;
  const i = pending.indexOf(m.type === "image" ? null : m.text);
  if (i >= 0) pending.splice(i, 1);
  return true;
}

// What goes to the server.

const send = (m) => connection.send(JSON.stringify(m));

function askIn() {
  log.busy = true; // the history follows
  send({ type: "username", name: wanted, date: Date.now() });
}

function sendText() {
  const text = $("text").value.trim();
  if (!text) return;
  if ([...text].length > longestText) return notify(`That is more than ${longestText} characters.`, "error");
  if (!me) return notify("There is no connection right now. Your message stays here until there is.", "error");
  send({ type: "message", id: me.id, text, date: Date.now() });
  pending.push(text);
  draft("");
}

function sendImage(file) {
  if (!me) return notify("Images can be sent once you are connected.", "error");
  if (!/^image\/(png|jpeg|gif|webp)$/.test(file.type)) {
    return notify("Only PNG, JPEG, GIF and WebP images can be sent.", "error");
  }
  if (file.size > largestImage) return notify("An image may have 4 MiB at most.", "error");
  // File names make poor descriptions, but better ones than none.
  send({ type: "image", id: me.id, text: file.name === "image.png" ? "" : file.name, date: Date.now() });
  connection.send(file);
  pending.push(null);
}

// giveBack puts texts that did not get through back into the message box.
function giveBack(texts) {
  const lost = texts.filter(Boolean).join("\n");
  if (lost && !$("text").value) draft(lost);
}

// The connection's state.

connection.addEventListener("state", () => {
  if (connection.state !== "open") {
    me = announced = null;
    greeted = false;
    giveBack(pending.splice(0));
    log.busy = false;
  }
  if (connection.state === "open") notify("");
  if (connection.state === "closed") {
    showUsers([]);
    write($("who"), "You are not connected. Come back any time.");
    if (connection.banned) notify(`The server closed the connection: ${connection.why}`, "error");
    wanted = "";
  }
  showState();
  showJoined();
});

function showState() {
  const { state, why, socket } = connection;
  document.body.dataset.state = $("state").dataset.state = state;
  write($("state"), why ? `${state} · ${why}` : state);
  write($("protocol"), socket?.protocol || "–");
  showRetry();
}

function showRetry() {
  const seconds = Math.ceil((connection.retryAt - Date.now()) / 1000);
  write($("retry"), seconds > 0 ? `next attempt in ${seconds} s` : "");
}

// bufferedAmount has no event of its own.
setInterval(() => {
  const n = connection.socket?.bufferedAmount ?? 0;
  write($("buffered"), n < 10000 ? `${n} bytes` : `${(n / 1e6).toFixed(2)} MB`);
  showRetry();
}, 100);

// write changes a text only if it changes: a screen reader would read it again.
function write(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// What is shown.

// The conversation stays in view while the connection comes back.
function showJoined() {
  const inside = wanted !== "";
  const was = !$("conversation").hidden;
  $("welcome").hidden = inside;
  $("conversation").hidden = $("leave").hidden = !inside;
  document.body.classList.toggle("inside", inside);
  $("send").disabled = $("image").disabled = !me;
  $("join").textContent = connection.state === "closed" && connection.why ? "Join again" : "Join";
  if (inside && !was) {
    log.toEnd();
    $("text").focus();
  } else if (!inside && was) {
    $("name").focus();
  }
}

function showUsers(names) {
  $("users").replaceChildren(...names.map((name) => {
    const e = element("li");
    e.append(avatar(name), element("bdi", "", name));
    if (name === me?.name) e.append(element("span", "you", "you"));
    return e;
  }));
  write($("number"), names.length ? String(names.length) : "");
  const some = names.slice(0, 3);
  if (names.length > 3) some.push(`${names.length - 3} more`);
  write($("who"), some.length ? `${list.format(some)} ${some.length > 1 ? "are" : "is"} here.` : "Nobody is here yet. You would be the first.");
}

let noticeTimer = 0;

function notify(text, kind = "info") {
  const notice = $("notice");
  notice.hidden = !text;
  notice.className = kind;
  notice.textContent = text;
  clearTimeout(noticeTimer);
  if (text) noticeTimer = setTimeout(() => (notice.hidden = true), 8000);
}

function draft(text) {
  $("text").value = text;
  drafted();
}

// drafted makes the box as high as its text, as far as CSS does not.
function drafted() {
  const text = $("text").value;
  $("text").rows = Math.min(6, text.split("\n").length);
  const left = longestText - [...text].length;
  write($("count"), left < 200 ? `${left} characters left` : "");
  remember();
}

// The name and the draft outlive a reload of the page, in this tab.
function remember() {
  sessionStorage.name = $("name").value;
  sessionStorage.draft = $("text").value;
}

// What people do.

$("welcome").addEventListener("submit", (event) => {
  event.preventDefault();
  wanted = $("name").value.trim() || "Guest";
  notify("");
  if (greeted) askIn();
  else connection.open(); // and ask once the server has said hello
  showJoined();
});

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  sendText();
});

$("text").addEventListener("input", drafted);
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendText();
});

// Escape puts a notice away, or else leaves the message box for the log.
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (!$("notice").hidden) notify("");
  else if (document.activeElement === $("text")) $("log").focus();
});

$("leave").addEventListener("click", () => connection.close(1000, "you left"));

takeImages($("image"), sendImage);

$("name").value = sessionStorage.name ?? "";
draft(sessionStorage.draft ?? "");
write($("endpoint"), url.href);
window.chat = { get socket() { return connection.socket; } };
connection.open();
