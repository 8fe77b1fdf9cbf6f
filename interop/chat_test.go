//go:build linux

package interop

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// chatter is somebody at a page of examples/chat. What is relied on there are
// the ids of elements, .message in #log, and window.chat.socket.
type chatter struct {
	*page
}

// until waits until a condition holds in the page. $ is querySelector.
func (c chatter) until(t *testing.T, condition string) {
	t.Helper()
	c.run(t, fmt.Sprintf(`
		const $ = (selector) => document.querySelector(selector);
		const end = Date.now() + %d;
		while (!(%s)) {
			if (Date.now() > end) throw new Error("it does not become true; the page is:\n" + document.body.innerText);
			await new Promise((resolve) => setTimeout(resolve, 10));
		}
	`, (patience/2).Milliseconds(), condition), nil)
}

func (c chatter) join(t *testing.T, name string) {
	t.Helper()
	c.until(t, `$("#state").textContent.includes("open")`)
	c.run(t, fmt.Sprintf(`
		document.querySelector("#name").value = %s;
		document.querySelector("#join").click();
	`, quoteJS(name)), nil)
}

func (c chatter) say(t *testing.T, text string) {
	t.Helper()
	c.until(t, `!$("#send").disabled`)
	c.run(t, fmt.Sprintf(`
		const box = document.querySelector("#text");
		box.value = %s;
		box.dispatchEvent(new Event("input"));
		document.querySelector("#send").click();
	`, quoteJS(text)), nil)
}

// hears waits until the last message in the log is text.
func (c chatter) hears(t *testing.T, text string) {
	t.Helper()
	c.until(t, fmt.Sprintf(`[...document.querySelectorAll("#log .message")].at(-1)?.textContent.includes(%s)`, quoteJS(text)))
}

// sees waits until exactly those people are in the list.
func (c chatter) sees(t *testing.T, names ...string) {
	t.Helper()
	condition := fmt.Sprintf(`$("#users").children.length === %d`, len(names))
	for _, name := range names {
		condition += fmt.Sprintf(` && [...$("#users").children].some((e) => e.textContent.includes(%s))`, quoteJS(name))
	}
	c.until(t, condition)
}

func TestChat(t *testing.T) {
	need(t, "chromium", "go")
	const source = "../examples/chat"
	// As go run does it, but once for both starts.
	binary := filepath.Join(t.TempDir(), "chat")
	out, err := exec.CommandContext(t.Context(), program("go"), "build", "-o", binary, source).CombinedOutput()
	require.NoError(t, err, string(out))
	address := freeAddress(t)
	server := start(t, binary, "-addr", address)
	server.awaitPort(address)

	b := startBrowser(t)
	ann := chatter{b.open(t, "http://"+address+"/")}
	ann.join(t, "Ann")
	ann.sees(t, "Ann")
	ben := chatter{b.open(t, "http://"+address+"/")}
	ben.join(t, "Ben")
	ann.sees(t, "Ann", "Ben")
	ben.sees(t, "Ann", "Ben")

	var protocol string
	ann.run(t, "return window.chat.socket.protocol", &protocol)
	require.NotEmpty(t, protocol)

	ann.say(t, "Grüß dich, 世界 🙂 <b>not bold</b>")
	ben.hears(t, "Grüß dich, 世界 🙂 <b>not bold</b>")
	ben.say(t, "Hello back")
	ann.hears(t, "Hello back")
	ann.until(t, `$("#log").textContent.includes("Ben")`)

	t.Run("name taken", func(t *testing.T) {
		other := chatter{b.open(t, "http://"+address+"/")}
		// In a hurry: before the server has said hello.
		other.until(t, `$("#state").textContent.includes("open")`)
		other.run(t, `
			const state = document.querySelector("#state");
			const observer = new MutationObserver(() => {
				if (!state.textContent.startsWith("open")) return;
				observer.disconnect();
				document.querySelector("#name").value = "Ann";
				document.querySelector("#join").click();
			});
			observer.observe(state, { childList: true, characterData: true, subtree: true });
			window.chat.socket.close(3000); // and come back
		`, nil)
		other.until(t, `!$("#notice").hidden && $("#notice").textContent.includes("Ann")`)
		var name string
		other.run(t, `return document.querySelector("#name").value`, &name)
		require.NotEqual(t, "Ann", name)
		require.Contains(t, name, "Ann")
		other.sees(t, "Ann", name, "Ben")
		ben.sees(t, "Ann", name, "Ben")
	}) // whose page is closed now
	ben.sees(t, "Ann", "Ben")

	t.Run("image", func(t *testing.T) {
		var picture bytes.Buffer
		require.NoError(t, png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 40, 30))))
		ben.run(t, `
			window.sizes = [];
			window.chat.socket.addEventListener("message", ({ data }) => {
				if (typeof data !== "string") window.sizes.push(data.size ?? data.byteLength);
			});
		`, nil)
		ann.choose(t, "#image", writeFile(t, "picture.png", picture.String()))
		for _, c := range []chatter{ann, ben} {
			c.until(t, `[...document.querySelectorAll("#log .message")].at(-1)?.querySelector("img")?.naturalWidth === 40`)
		}
		var sizes []int
		ben.run(t, "return window.sizes", &sizes)
		require.Equal(t, []int{picture.Len()}, sizes) // as one binary message
	})

	t.Run("bufferedAmount", func(t *testing.T) {
		ann.until(t, `window.chat.socket.bufferedAmount === 0 && $("#buffered").textContent.startsWith("0")`)
	})

	t.Run("server started again", func(t *testing.T) {
		for _, c := range []chatter{ann, ben} {
			c.run(t, `
				window.states = [];
				const state = document.querySelector("#state");
				new MutationObserver(() => window.states.push(state.textContent))
					.observe(state, { childList: true, characterData: true, subtree: true });
			`, nil)
		}
		server.kill()
		ann.until(t, `$("#state").textContent.includes("reconnecting")`)
		start(t, binary, "-addr", address).awaitPort(address)
		for _, c := range []chatter{ann, ben} {
			c.until(t, `$("#state").textContent.includes("open")`)
			c.sees(t, "Ann", "Ben")
			var states []string
			c.run(t, "return window.states", &states)
			require.Contains(t, states[0], "reconnecting")
			require.Contains(t, states[0], "1001") // the server has said why
		}
		ann.say(t, "Where were we?")
		ben.hears(t, "Where were we?")
	})
}
