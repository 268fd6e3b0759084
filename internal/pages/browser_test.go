package pages

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sluice-cd/sluice"
)

// patience is how long a browser may take for one action on a busy machine.
const patience = time.Minute

// A browser is one tab of a Chromium of its own.
type browser struct {
	t   *testing.T
	w   *world
	ctx context.Context
}

// open starts a browser whose reader is the person, or skips the test if there is none.
func (w *world) open(t *testing.T, who string) *browser {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("there is no browser: apt-get install chromium")
	}
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox,
		chromedp.UserDataDir(profile), chromedp.WindowSize(1280, 720), chromedp.WSURLReadTimeout(patience))
	for _, flag := range []string{
		"disable-gpu", "disable-quic", "disable-component-update", "disable-background-networking", "no-first-run",
		"disable-sync",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocated, cancelBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		cancelBrowser()
		if err := os.RemoveAll(profile); err != nil {
			t.Log(err) // the browser may still write
		}
	})
	b := &browser{t, w, ctx}
	if err := chromedp.Run(ctx); err != nil { // its context lives as long as the browser
		t.Fatal(err)
	}
	b.do(network.SetCookie("who", who).WithURL(w.server.URL))
	return b
}

// do runs actions in the browser.
func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var text string
		_ = chromedp.Run(b.ctx, chromedp.Text("main", &text, chromedp.AtLeast(0)))
		b.t.Fatalf("%v; the page says:\n%s", err, text)
	}
}

func (b *browser) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.w.server.URL + path))
}

// waitFor waits until the selected element has the text.
func (b *browser) waitFor(selector, text string) {
	b.t.Helper()
	b.do(chromedp.PollFunction(`(selector, text) => [...document.querySelectorAll(selector)]
		.some(e => e.innerText.includes(text))`, nil, chromedp.WithPollingArgs(selector, text),
		chromedp.WithPollingTimeout(patience)))
}

func (b *browser) text(selector string) (text string) {
	b.t.Helper()
	b.do(chromedp.Text(selector, &text, chromedp.ByQuery))
	return text
}

func (b *browser) eval(script string, into any) {
	b.t.Helper()
	b.do(chromedp.Evaluate(script, into))
}

// shoot keeps a picture of the page if SLUICE_PICTURES names a directory for them.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("SLUICE_PICTURES")
	if dir == "" {
		return
	}
	var png []byte
	b.do(chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) phone() { b.do(chromedp.EmulateViewport(390, 844)) }
func (b *browser) dark() {
	b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: "dark"},
	}))
}

func page1(id sluice.DeploymentID) string { return "/deployments/" + url.PathEscape(string(id)) }

// TestPictures draws every page in both schemes and both sizes. Nothing may be wider than the screen.
func TestPictures(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	w.checkpoint()
	w.busy()
	b := w.open(t, "ana")
	list, err := w.store.Deployments(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	at := page1(list[0].ID)
	pages := map[string]string{
		"overview": "/", "deployment": at, "analysis": at + "?step=staging/canary/1",
		"apply": at + "?step=production/apply", "data": at + "?step=production/before/0",
		"verification": page1(list[1].ID) + "?step=production/after/0", "application": "/applications/shop",
		"diff":        "/applications/shop?from=" + string(list[1].ID) + "&to=" + string(list[0].ID),
		"checkpoints": "/checkpoints", "audit": "/audit", "accounts": "/accounts",
		"rollback": page1(list[1].ID) + "/rollback", "problem": "/nothing",
	}
	draw := func(suffix string) {
		for name, path := range pages {
			b.visit(path)
			var wide bool
			b.eval(`document.documentElement.scrollWidth > innerWidth`, &wide)
			if wide {
				t.Errorf("%s%s is wider than the screen", name, suffix)
			}
			b.shoot(name + suffix)
		}
	}
	b.do(chromedp.EmulateViewport(1280, 720))
	draw("")
	b.dark()
	draw("-dark")
	b.phone()
	draw("-phone-dark")
	b.do(emulation.SetEmulatedMedia())
	draw("-phone")
}

var _ = strings.Join
var _ = kb.Enter
