// The page: what the server tells every second, and two minutes of it as charts.

const element = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const seconds = 120;
const history = { connections: [], rate: [] };
let socket = null;

function bytes(n) {
  if (n <= 0) return "–";
  for (const unit of ["B", "KiB", "MiB"]) {
    if (n < 1024 || unit === "MiB") return `${n < 10 && unit !== "B" ? n.toFixed(1) : whole.format(Math.round(n))} ${unit}`;
    n /= 1024;
  }
}

function draw(name, value) {
  const values = history[name];
  values.push(value);
  if (values.length > seconds + 1) values.shift();
  const top = Math.max(1, ...values) * 1.1;
  const first = seconds + 1 - values.length;
  const points = values.map((v, i) => `${first + i},${(40 - (v / top) * 40).toFixed(2)}`).join(" ");
  const chart = element(`${name}-chart`);
  chart.querySelector("polyline").setAttribute("points", points);
  chart.querySelector("polygon").setAttribute("points", `${first},40 ${points} ${seconds},40`);
}

function show(facts) {
  for (const name of ["connections", "wanted", "room", "messages", "goroutines", "loops"]) {
    element(name).textContent = whole.format(facts[name]);
  }
  element("rate").textContent = whole.format(Math.round(facts.rate));
  for (const name of ["resident", "each", "heap", "stacks"]) element(name).textContent = bytes(facts[name]);
  draw("connections", facts.connections);
  draw("rate", facts.rate);
  for (const button of document.querySelectorAll("[data-open]")) button.disabled = facts.wanted >= facts.room;
  element("close").disabled = facts.wanted === 0;
}

function state(word) {
  element("state").textContent = word;
  element("state").dataset.state = word;
  for (const button of document.querySelectorAll("button")) button.disabled = word !== "open";
}

function connect() {
  state("connecting");
  socket = new WebSocket(new URL("live", location.href.replace(/^http/, "ws")));
  socket.onopen = () => state("open");
  socket.onmessage = (event) => show(JSON.parse(event.data));
  socket.onclose = () => {
    state("closed");
    setTimeout(connect, 2000);
  };
}

for (const button of document.querySelectorAll("[data-open]")) {
  button.onclick = () => socket.send(JSON.stringify({ open: Number(button.dataset.open) }));
}
element("close").onclick = () => socket.send(JSON.stringify({ close: true }));
connect();
