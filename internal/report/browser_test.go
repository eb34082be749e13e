package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-6655bf3b/recap/internal/explore"
)

// A browser is a headless Chromium, controlled with the WebDriver protocol (W3C).
type browser struct {
	t   *testing.T
	url string // of the session
}

// startBrowser starts Chromium with chromedriver, once for all tests, and returns the URL of the
// session. Its error says that one of them is not installed.
var startBrowser = sync.OnceValues(func() (string, error) {
	driver, err := exec.LookPath("chromedriver")
	if err != nil {
		return "", errors.New("no chromedriver (Debian: apt-get install chromium chromium-driver)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command(driver, fmt.Sprintf("--port=%d", port))
	if err := cmd.Start(); err != nil {
		return "", err
	}
	b := &browser{url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	atEnd = append(atEnd, func() {
		b.request("DELETE", "", nil, nil)
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 100 {
		if response, err := http.Get(b.url + "/status"); err == nil {
			response.Body.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var session struct{ SessionID string }
	if err := b.request("POST", "/session",
		map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
			"goog:chromeOptions": map[string]any{"args": []string{"--headless=new", "--no-sandbox",
				"--disable-gpu", "--window-size=1440,900"}},
			"goog:loggingPrefs": map[string]string{"browser": "ALL"}}}}, &session); err != nil {
		return "", fmt.Errorf("chromedriver found no browser: %w", err)
	}
	b.url += "/session/" + session.SessionID
	return b.url, nil
})

// newBrowser opens a window of the browser. It skips the test if there is none.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	url, err := startBrowser()
	if err != nil {
		t.Skip("the page is not tested in a browser: ", err)
	}
	b := &browser{t, url}
	var window struct{ Handle string }
	b.call("POST", "/window/new", map[string]string{"type": "window"}, &window)
	b.call("POST", "/window", map[string]string{"handle": window.Handle}, nil)
	b.resize(1440, 900)
	var earlier []struct{ Message string } // of other tests
	b.call("POST", "/se/log", map[string]string{"type": "browser"}, &earlier)
	return b
}

// call is request, but ends the test on an error.
func (b *browser) call(method, path string, body, result any) {
	b.t.Helper()
	if err := b.request(method, path, body, result); err != nil {
		b.t.Fatal(err)
	}
}

// request sends a WebDriver command. It decodes the value of the response into result, if not nil.
func (b *browser) request(method, path string, body, result any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequest(method, b.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %.300s: %v", method, path, response.Status, reply, err)
	}
	if result == nil {
		return nil
	}
	value := struct{ Value any }{result}
	if err := json.Unmarshal(reply, &value); err != nil {
		return fmt.Errorf("%.300s: %v", reply, err)
	}
	return nil
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	var v T
	b.call("POST", "/execute/sync",
		map[string]any{"script": "return " + expression, "args": []any{}}, &v)
	return v
}

// Keys, as WebDriver encodes them.
const (
	tab        = "\ue004"
	end        = "\ue010"
	home       = "\ue011"
	arrowUp    = "\ue013"
	arrowRight = "\ue014"
	arrowDown  = "\ue015"
)

// press presses keys one after the other. The focused element receives them.
func (b *browser) press(keys string) {
	b.t.Helper()
	var actions []map[string]string
	for _, k := range keys {
		actions = append(actions, map[string]string{"type": "keyDown", "value": string(k)},
			map[string]string{"type": "keyUp", "value": string(k)})
	}
	b.call("POST", "/actions",
		map[string]any{"actions": []any{map[string]any{"type": "key", "id": "keyboard",
			"actions": actions}}}, nil)
}

// save writes a screenshot or a PDF to the artifact directory of the test (go test -artifacts).
func (b *browser) save(name, data string) []byte {
	b.t.Helper()
	text, err := base64.StdEncoding.DecodeString(data)
	if err == nil {
		err = os.WriteFile(filepath.Join(b.t.ArtifactDir(), name), text, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

const selected = `document.querySelector('[role=option][aria-selected=true]')`

// TestInBrowser opens the page from a file and uses it with the keyboard.
func TestInBrowser(t *testing.T) {
	b := newBrowser(t)
	_, page := render(t, trained(t), Options{Samples: 6})
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	b.call("POST", "/url", map[string]string{"url": "file://" + file}, nil)

	var log []struct{ Message string }
	b.call("POST", "/se/log", map[string]string{"type": "browser"}, &log)
	if len(log) > 0 {
		t.Errorf("the browser's console: %v", log)
	}
	if n := eval[int](b, `performance.getEntriesByType("resource").length`); n > 0 {
		t.Errorf("the page loaded %d things", n)
	}
	if wide := b.overflow(); wide > 0 {
		t.Errorf("the page is %d pixels wider than the window", wide)
	}
	var shift float64
	b.call("POST", "/execute/async", map[string]any{"args": []any{}, "script": `const done = arguments[0];
		const add = (sum, e) => sum + e.value;
		new PerformanceObserver((list) => done(list.getEntries().reduce(add, 0))).
			observe({type: "layout-shift", buffered: true});
		setTimeout(() => done(0), 500);`}, &shift)
	if shift > 0 {
		t.Errorf("the layout shifted by %g while the page was loaded", shift)
	}
	if n := eval[int](b, `document.querySelectorAll(".chart canvas").length`); n < 15 {
		t.Errorf("%d charts, want 15 or more", n)
	}
	b.checkTabOrder()
	b.checkCharts()
	b.checkExplorer()

	var image string
	b.call("GET", "/screenshot", nil, &image)
	b.save("page.png", image)
	b.resize(360, 640)
	if wide := b.overflow(); wide > 0 {
		t.Errorf("at a width of 360 the page is %d pixels wider than the window", wide)
	}
	// the first column, the rates, stays where it is while the table is scrolled
	if got := eval[string](b, `(() => {
		const region = document.querySelector("#results .scroll");
		const th = region.querySelector("tbody th");
		region.scrollLeft = 1000;
		return (region.scrollLeft > 100) + " " + (th.getBoundingClientRect().left >= 0);
	})()`); got != "true true" {
		t.Errorf("scrolled, and the rates are in the window: %s", got)
	}
	b.call("POST", "/print",
		map[string]any{"page": map[string]float64{"width": 21, "height": 29.7}}, &image)
	if pdf := b.save("page.pdf", image); !bytes.HasPrefix(pdf, []byte("%PDF")) {
		t.Errorf("printed: %.20q", pdf)
	}
	b.call("POST", "/goog/cdp/execute",
		map[string]any{"cmd": "Emulation.setEmulatedMedia",
			"params": map[string]string{"media": "print"}}, nil)
	if n := eval[int](b,
		`[...document.querySelectorAll("nav, .search-panel, select, input, summary")].
			filter((e) => e.offsetParent).length`); n > 0 {
		t.Errorf("%d controls are printed", n)
	}
}

// checkTabOrder checks that the tab key reaches every control.
func (b *browser) checkTabOrder() {
	b.t.Helper()
	missing := map[string]string{
		"a link": `e.matches("nav a")`, "the table": `e.matches(".scroll")`,
		"the seed menu": `e.id === "seed"`, "a chart": `e.matches(".plot")`,
		"the search": `e.id === "search"`, "the sort menu": `e.id === "sort"`,
		"the list": `e.matches("[role=listbox]")`, "the slider": `e.id === "rate"`,
	}
	for range 60 {
		b.press(tab)
		for what, condition := range missing {
			if eval[bool](b,
				`((e) => `+condition+
					` && e.matches(":focus-visible") && getComputedStyle(e).outlineStyle !== "none"`+
					`)(document.activeElement)`) {
				delete(missing, what)
			}
		}
	}
	for what := range missing {
		b.t.Errorf("the tab key does not reach %s, or it does not show that it has the focus",
			what)
	}
}

// checkCharts reads the values of a chart with the keyboard, and selects one seed.
func (b *browser) checkCharts() {
	b.t.Helper()
	value := `document.querySelector(".legend b").textContent`
	eval[any](b, `document.querySelector(".plot").focus()`)
	last := eval[string](b, value)
	b.press(home)
	first := eval[string](b, value)
	if first == last || first == "" {
		b.t.Errorf("the loss of the first epoch reads %q, that of the last %q", first, last)
	}
	b.press(arrowRight)
	if got := eval[string](b, value); got != last { // there are two epochs
		b.t.Errorf("after an arrow key the loss reads %q, want %q", got, last)
	}
	eval[any](b,
		`(() => { const s = document.getElementById("seed"); s.value = "8"; s.dispatchEvent(new Event("change")); })()`)
	if got := eval[string](b, value); got == last ||
		eval[string](b, `document.activeElement.id`) != "seed" {
		b.t.Errorf("the loss of one seed reads %q, as that of all", got)
	}
}

// checkExplorer selects utterances, changes the missing rate and searches.
func (b *browser) checkExplorer() {
	b.t.Helper()
	if n := eval[int](b, `document.querySelectorAll("[role=option]").length`); n != 6 {
		b.t.Errorf("%d utterances, want 6", n)
	}
	if n := eval[int](b, `document.querySelectorAll(".transcript del").length`); n == 0 {
		b.t.Error("at first, and when the page is printed, nothing is missing")
	}
	title := `document.querySelector(".sample h3").firstChild.textContent`
	eval[any](b, `document.querySelector("[role=listbox]").focus()`)
	b.press(home + arrowDown + arrowDown + arrowUp)
	second := eval[string](b,
		`document.querySelectorAll("[role=option]")[1].querySelector(".id").textContent`)
	if got := eval[string](b, selected+`.querySelector(".id").textContent`); got != second ||
		eval[string](b, title) != second {
		b.t.Errorf("selected %q, shown %q, want %q", got, eval[string](b, title), second)
	}
	active := `document.querySelector("[role=listbox]").getAttribute("aria-activedescendant")`
	if eval[string](b, active) != eval[string](b, selected+".id") {
		b.t.Error("aria-activedescendant is not the selected utterance")
	}

	// The slider changes everything that depends on the missing rate.
	shown := func() (struck int, heatmap, axis, weights, values string) {
		return eval[int](b, `document.querySelectorAll(".transcript del").length`),
			eval[string](b, `document.querySelector(".maps .map").toDataURL()`),
			eval[string](b, `document.querySelector(".label-axis").getAttribute("aria-label")`),
			eval[string](b, `document.querySelector(".weights").textContent`),
			eval[string](b, selected+`.querySelector(".values").textContent`)
	}
	eval[any](b, `document.getElementById("rate").focus()`)
	b.press(home)
	struck0, map0, axis0, weights0, values0 := shown()
	if struck0 != 0 {
		b.t.Errorf("%d tokens struck out at missing rate 0", struck0)
	}
	b.press(arrowRight)
	struck1, map1, axis1, weights1, values1 := shown()
	if got := eval[string](b, `document.querySelector(".rate output").textContent`); got != "0.5" {
		b.t.Errorf("the slider is at %s, want 0.5", got)
	}
	if struck1 == 0 || map1 == map0 || axis1 == axis0 && weights1 == weights0 &&
		values1 == values0 {
		b.t.Errorf("a higher rate changes nothing: %d tokens struck out, %s", struck1, axis1)
	}
	b.press(end)
	if struck2, _, _, _, _ := shown(); struck2 < struck1 || eval[string](b, title) != second {
		b.t.Errorf("%d tokens struck out at rate 0.9, %d at 0.5; or another utterance is shown",
			struck2, struck1)
	}
	errors := eval[[]float64](b,
		`[...document.querySelectorAll("[role=option] .error i")].map((i) => parseFloat(i.style.width))`)
	for i := range len(errors) - 1 {
		if errors[i] < errors[i+1] {
			b.t.Errorf("errors are not sorted: %v", errors)
		}
	}

	// The list has the utterances that match the search.
	words := strings.Fields(eval[string](b, `document.querySelector(".transcript").textContent`))
	eval[any](b, `document.getElementById("search").focus()`)
	b.press(second)
	if n, got := eval[int](b, `document.querySelectorAll("[role=option]").length`), eval[string](b,
		title); n < 1 || n > 5 || got != second {
		b.t.Errorf("search for %q: %d found, shown %q", second, n, got)
	}
	search := `(() => {
		const s = document.getElementById("search");
		s.value = %q;
		s.dispatchEvent(new Event("input"));
	})()`
	eval[any](b, fmt.Sprintf(search, "no such text"))
	if n := eval[int](b, `document.querySelectorAll("[role=option]").length`); n != 0 {
		b.t.Errorf("search without a match: %d found", n)
	}
	eval[any](b, fmt.Sprintf(search, words[0]))
	if n := eval[int](b, `document.querySelectorAll("[role=option]").length`); n < 1 {
		b.t.Errorf("search for the word %q: %d found", words[0], n)
	}
}

// resize sets the size of the window.
func (b *browser) resize(width, height int) {
	b.t.Helper()
	b.call("POST", "/window/rect", map[string]int{"width": width, "height": height}, nil)
}

// overflow returns by how many pixels the page is wider than the window.
func (b *browser) overflow() int {
	b.t.Helper()
	return eval[int](b,
		`document.documentElement.scrollWidth - document.documentElement.clientWidth`)
}

// TestIndexInBrowser sorts the list of runs and marks two of them. The server answers the request
// for events with status 503.
func TestIndexInBrowser(t *testing.T) {
	b := newBrowser(t)
	score := func(v float64) []Score { return []Score{{"MAE ↓", &v, fmt.Sprint(v)}} }
	runs := []RunStatus{{"b", "1 of 1", Finished, "", score(0.5)},
		{"new", "0 of 1", Running, "seed 7: no epoch yet", nil},
		{"a#%/\u202e</script><b>x", "1 of 1", Finished, "", score(0.75)},
		{"c", "1 of 2", Stopped, "seed 8: stage1, epoch 1 of 5", score(0.25)}}
	var list bytes.Buffer
	if err := (&Index{"Runs", "my runs", runs}).Write(&list); err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Write(list.Bytes())
		case "/events":
			http.Error(w, "too many", http.StatusServiceUnavailable)
		case "/favicon.ico":
		default:
			asked <- r.URL.String()
		}
	}))
	defer s.Close()
	b.resize(360, 640)
	b.call("POST", "/url", map[string]string{"url": s.URL}, nil)
	var image string
	b.call("GET", "/screenshot", nil, &image)
	b.save("index.png", image)
	if wide := b.overflow(); wide > 0 {
		t.Errorf("at a width of 360 the list is %d pixels wider than the window", wide)
	}
	names := `[...document.querySelectorAll("#runs a")].map((a) => a.textContent).join(" ")`
	click := func(selector string) {
		eval[any](b, fmt.Sprintf(`document.querySelector(%q).click()`, selector))
	}
	const evil = "a#%/\u202e</script><b>x"
	for _, c := range []struct{ column, want string }{
		{"", evil + " b c new"},
		{"MAE ↓", "c b " + evil + " new"},
		{"MAE ↓", evil + " b c new"},
		{"name", evil + " b c new"},
		{"phase", evil + " b new c"},
	} {
		if c.column != "" {
			click(fmt.Sprintf(`th[data-key="%s"] button`, c.column))
		}
		if got := eval[string](b, names); got != c.want {
			t.Errorf("sorted by %q: %q, want %q", c.column, got, c.want)
		}
	}
	enabled := `[...document.querySelectorAll("#compare, #runs input")].
		map((e) => e.disabled ? 0 : 1).join("")`
	for i, want := range []string{"01101", "01101", "11100"} { // the button, then the rows
		if i > 0 {
			click(fmt.Sprintf("#runs tr:nth-child(%d) input", i))
		}
		if got := eval[string](b, enabled); got != want {
			t.Errorf("with %d marks: enabled %s, want %s", i, got, want)
		}
	}
	hidden := `[...document.querySelectorAll("#list > .note")].map((e) => e.hidden).join(" ")`
	if got := eval[string](b, hidden); got != "false true" {
		t.Error("the note about stopped runs is hidden, or that about locked ones is shown")
	}
	click("#compare")
	if got, want := <-asked,
		"/compare?run=a%23%25%2F%E2%80%AE%3C%2Fscript%3E%3Cb%3Ex&run=b"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	b.call("POST", "/url", map[string]string{"url": s.URL}, nil)
	click("#runs a")
	if got, want := <-asked, "/runs/a%23%25/%E2%80%AE%3C/script%3E%3Cb%3Ex/"; got != want {
		t.Errorf("the link leads to %s, want %s", got, want)
	}

	list.Reset()
	if err := (&Index{"Runs", "my runs", []RunStatus{}}).Write(&list); err != nil {
		t.Fatal(err)
	}
	b.call("POST", "/url", map[string]string{"url": s.URL}, nil)
	if got := eval[string](b, `document.querySelector("main").innerText`); !strings.Contains(got,
		"recap train --out 'my runs'") || strings.Contains(got, "Compare") {
		t.Errorf("no runs: %s", got)
	}
}

// TestHostileDataInBrowser shows an utterance whose id and transcript are markup, quotes and
// characters that are written from right to left.
func TestHostileDataInBrowser(t *testing.T) {
	b := newBrowser(t)
	for _, evil := range []string{`</script><script>document.title = "evil"</script>`,
		`"><img src=x onerror="document.title = 'evil'">'`, "\u202eשלום\u2028<!--", "a\x00b\\",
		"${document.title = `evil`}"} {
		data, err := explorerJSON(&explore.Exploration{Rates: []float64{0, 0.5},
			Range: [2]float64{-3, 3}, Samples: []explore.Sample{{ID: evil, Text: evil + " text",
				Tokens: []string{evil}, MissingFrom: [3][]int{{1}, {}, {}},
				Views: make([]explore.View, 2)}}})
		if err != nil {
			t.Fatal(err)
		}
		p := &Page{Title: "page", Run: `{"epochs":{},"prefixes":[],"suffixes":[],"seeds":[]}`,
			Samples: data, Properties: []Property{{evil, evil}}, Notes: []string{evil}}
		p.addAssets()
		file := filepath.Join(t.TempDir(), "page.html")
		var page bytes.Buffer
		if err := p.Write(&page); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		b.call("POST", "/url", map[string]string{"url": "file://" + file}, nil)
		if got := eval[string](b, `document.title`); got != "page" {
			t.Errorf("%q: a script ran", evil)
		}
		if got := eval[string](b, `document.querySelector("h3 bdi").textContent`); got != evil {
			t.Errorf("id %q, want %q", got, evil)
		}
		if got := eval[string](b, `document.querySelector(".transcript-note").textContent`); got !=
			"Transcript: "+evil+" text" {
			t.Errorf("%q, want the transcript %q", got, evil)
		}
		var log []struct{ Message string }
		b.call("POST", "/se/log", map[string]string{"type": "browser"}, &log)
		if len(log) > 0 {
			t.Errorf("%q: the browser's console: %v", evil, log)
		}
	}
}

// TestOneEpochInBrowser checks that the axis of a chart with one epoch has no other epoch.
func TestOneEpochInBrowser(t *testing.T) {
	b := newBrowser(t)
	for epochs, want := range map[int]string{1: "0.5 1.5", 3: "1 3"} {
		p := &Page{Title: "page", Run: template.JS(fmt.Sprintf(`{"epochs":{"stage1":%d},
			"prefixes":[],"suffixes":[],"seeds":[{"seed":7,"records":[{"phase":"stage1","epoch":1,
			"lr":0.1,"seconds":1,"terms":{"loss":2}}]}]}`, epochs))}
		p.addAssets()
		// the chart keeps its ranges to itself: record those that uPlot is given
		p.Scripts[1] = `const ranges = [], draw = uPlot;
			uPlot = function (o, data, to) {
				ranges.push(o.scales.x.range().join(" "));
				return new draw(o, data, to);
			};` + p.Scripts[1]
		p.Policy = "script-src 'unsafe-inline'"
		file := filepath.Join(t.TempDir(), "page.html")
		var page bytes.Buffer
		if err := p.Write(&page); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		b.call("POST", "/url", map[string]string{"url": "file://" + file}, nil)
		if got := eval[string](b, `ranges[0]`); got != want {
			t.Errorf("one of %d epochs: axis from %s, want %s", epochs, got, want)
		}
	}
}
