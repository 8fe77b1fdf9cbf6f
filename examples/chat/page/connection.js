// A WebSocket that comes back by itself.

const firstDelay = 500; // ms until the first attempt to come back
const longestDelay = 15000;

// After these the server does not want this client back: it broke the rules.
const final = new Set([1003, 1007, 1008]);

// What the codes mean that come without a reason (RFC 6455, section 7.4.1).
const names = {
  1000: "normal closure",
  1001: "going away",
  1005: "no status",
  1006: "no answer",
  1009: "message too big",
  1011: "internal error",
  1012: "service restart",
  1013: "try again later",
};

// A Connection dispatches "state" when anything about it changes, and "message"
// with what came. Its socket is a new one after each attempt.
export class Connection extends EventTarget {
  socket = null;
  state = "closed"; // or connecting, open, reconnecting
  why = ""; // the code and reason of the latest end
  banned = false; // whether the server does not want this client back
  retryAt = 0; // when the next attempt is made, while reconnecting

  #url;
  #protocols;
  #attempts = 0;
  #timer = 0;

  constructor(url, protocols) {
    super();
    this.#url = url;
    this.#protocols = protocols;
    // No need to wait for the next attempt once the network is there again.
    addEventListener("online", () => {
      if (this.state === "reconnecting") this.open();
    });
  }

  // open connects, if it is not under way already.
  open() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.retryAt = 0;
    this.banned = false;
    if (this.socket) return;
    const socket = new WebSocket(this.#url, this.#protocols);
    socket.binaryType = "blob";
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.why = "";
      this.#to("open");
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      this.#attempts = 0; // it is really there
      this.dispatchEvent(new MessageEvent("message", { data: event.data }));
    };
    socket.onclose = (event) => this.#ended(socket, event);
    this.socket = socket;
    this.#to(this.#attempts > 0 ? "reconnecting" : "connecting");
  }

  // close ends the connection for good, until open is called.
  close(code, reason) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.retryAt = 0;
    this.#attempts = 0;
    const socket = this.socket;
    this.socket = null;
    socket?.close(code, reason);
    this.why = `${code} ${reason}`;
    this.#to("closed");
  }

  send(data) {
    this.socket.send(data);
  }

  #ended(socket, event) {
    if (this.socket !== socket) return; // this side has closed it
    this.socket = null;
    // Why the connection ended says more than why coming back failed.
    if (this.state === "open" || !this.why) this.why = `${event.code} ${event.reason || names[event.code] || ""}`.trim();
    this.banned = final.has(event.code);
    if (this.banned) {
      this.#to("closed");
      return;
    }
    // Each time twice as long, and not all clients at the same moment.
    const longest = Math.min(longestDelay, firstDelay * 2 ** this.#attempts);
    const least = event.code === 1013 ? 5000 : 0; // "try again later"
    const delay = least + longest * (0.5 + Math.random() / 2);
    this.#attempts++;
    this.retryAt = Date.now() + delay;
    this.#timer = setTimeout(() => this.open(), delay);
    this.#to("reconnecting");
  }

  #to(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
