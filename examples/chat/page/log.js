// What has been said, as elements of the page.

const longest = 400; // entries kept on the page
const together = 5 * 60 * 1000; // ms within which messages of one person form a group

const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

// element makes an element with a class and a text. Texts are never markup here.
export function element(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// hue gives everybody a color of their own, by name.
export function hue(name) {
  let h = 7;
  for (const c of name.toLowerCase()) h = (h * 31 + c.codePointAt(0)) % 9973;
  return (h * 137) % 360;
}

// avatar is a disc with the first character of a name.
export function avatar(name) {
  const e = element("span", "avatar", [...name][0].toUpperCase());
  e.style.setProperty("--hue", hue(name));
  e.ariaHidden = "true";
  return e;
}

export class Log {
  #log;
  #newest; // the button that leads to the end
  #following = true; // whether its end is in view
  #latest = null; // the latest message, to group by

  constructor(log, newest) {
    this.#log = log;
    this.#newest = newest;
    newest.addEventListener("click", () => this.toEnd());
    log.addEventListener("scroll", () => {
      if (this.#atEnd()) newest.hidden = true;
    });
    // A phone's keyboard makes the log smaller. Its end stays in view.
    new ResizeObserver(() => this.#stay()).observe(log);
  }

  // busy keeps a screen reader from reading out what was said before.
  set busy(busy) {
    this.#log.ariaBusy = String(busy);
  }

  text(message, mine) {
    const body = element("div", "bubble", message.text);
    body.dir = "auto";
    this.#message(message, mine, body);
  }

  image(message, blob, mine) {
    const url = URL.createObjectURL(blob);
    const picture = element("img");
    picture.alt = message.text || `An image from ${message.name}`;
    picture.src = url;
    picture.addEventListener("load", () => this.#log.contains(picture) && this.#stay());
    const link = element("a", "picture");
    link.href = url;
    link.target = "_blank";
    link.append(picture);
    this.#message(message, mine, link);
  }

  // event adds a line about what happened.
  event(text, date) {
    this.#latest = null;
    const line = element("p", "event", text);
    line.append(" ", this.#time(date));
    this.#add(line);
  }

  #message(message, mine, body) {
    const before = this.#latest;
    const goesOn = before?.id === message.id && before.name === message.name && message.date - before.date < together;
    const entry = element("article", "message");
    entry.classList.toggle("mine", mine);
    entry.classList.toggle("goes-on", goesOn);
    const meta = element("header");
    const name = element("bdi", "name", mine ? "You" : message.name);
    name.style.setProperty("--hue", hue(message.name));
    meta.append(name, " ", this.#time(message.date));
    entry.append(avatar(message.name), meta, body);
    this.#latest = message;
    this.#add(entry, mine);
  }

  #time(date) {
    const e = element("time", "", time.format(date));
    e.dateTime = new Date(date).toISOString();
    return e;
  }

  #add(entry, mine = false) {
    const follow = mine || this.#atEnd();
    this.#log.querySelector(".empty")?.remove();
    this.#log.append(entry);
    while (this.#log.children.length > longest) this.#remove(this.#log.firstElementChild);
    if (follow) this.toEnd();
    else this.#newest.hidden = false;
  }

  #remove(entry) {
    const picture = entry.querySelector("img");
    if (picture) URL.revokeObjectURL(picture.src);
    entry.remove();
  }

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    return (this.#following = scrollHeight - scrollTop - clientHeight < 80);
  }

  // stay scrolls to the end if that was in view before something grew.
  #stay() {
    if (this.#following) this.toEnd();
  }

  toEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#following = true;
    this.#newest.hidden = true;
  }
}
