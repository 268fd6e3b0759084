package pages

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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

// waitFor waits until a selected element has the text, also while one page follows another.
func (b *browser) waitFor(selector, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))`, selector, text))
}

// until waits until the condition holds.
func (b *browser) until(condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for holds := false; !holds; {
		err := chromedp.Run(ctx, chromedp.Evaluate(condition, &holds)) // between two pages there is nothing to ask
		select {
		case <-look.C:
		case <-ctx.Done():
			var text string
			_ = chromedp.Run(b.ctx, chromedp.Evaluate(`location.href + "\n" + document.activeElement.outerHTML.slice(0, 200) +
				"\n" + document.querySelectorAll("details[open]").length + " open\n" + document.body.innerText`, &text))
			b.t.Fatalf("waits in vain for %s: %v; the page says:\n%s", condition, err, text)
		}
	}
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

// TestPictures draws every page in both schemes and both sizes. Nothing may be wider than the screen.
func TestPictures(t *testing.T) {
	w := busyWorld(t)
	b := w.open(t, "ana")
	pages := w.every()
	pages["problem"] = "/nothing"
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

// waitingWorld has one deployment that waits for an approval, after one that has succeeded.
func waitingWorld(t *testing.T) (*world, sluice.DeploymentID) {
	w := newWorld(t)
	w.steps.evidence()
	w.checkpoint(w.deploy(planOf("shop", "2.2")))
	id := w.start(planOf("shop", "2.3"), "ci")
	w.untilWaits(id)
	return w, id
}

// signals lists what people told a deployment, with their reasons.
func (w *world) signals(id sluice.DeploymentID) (list []string) {
	w.t.Helper()
	for e, err := range w.store.Read(w.t.Context(), id, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		if e.Kind == sluice.SignalReceived {
			list = append(list, e.Signal.Kind+" by "+e.Signal.By.Name+" via "+e.Signal.By.Via+": "+e.Signal.Reason)
		}
	}
	return list
}

func (w *world) expectSignal(id sluice.DeploymentID, want string) {
	w.t.Helper()
	if got := w.signals(id); len(got) != 1 || got[0] != want {
		w.t.Errorf("the deployment was told %q, not %q", got, want)
	}
}

func TestADeploymentIsWatchedAndApproved(t *testing.T) {
	w, id := waitingWorld(t)
	b := w.open(t, "ana")
	b.visit("/")
	b.waitFor(".overview .yours", "waits: the approval of owner")
	b.do(chromedp.Click(`.overview .yours td:nth-child(3) a`, chromedp.ByQuery))
	b.waitFor(".state", "waits for the approval of owner in production")
	b.waitFor(".evidence .gates", "analysis: errors")
	b.do(chromedp.Click(`#deployment-actions summary`, chromedp.ByQuery),
		chromedp.WaitVisible(`details[open] input[name=reason]`, chromedp.ByQuery),
		chromedp.SendKeys(`details[open] input[name=reason]`, "errors are fine", chromedp.ByQuery))
	b.shoot("sheet")
	b.do(chromedp.Click(`details[open] button`, chromedp.ByQuery))
	b.waitFor(".state", "runs in every target")
	w.expectSignal(id, "approve by ana via page: errors are fine")
}

// What happens is drawn while it happens: nobody reloads the page.
func TestADeploymentIsFollowedLive(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	hold := make(chan struct{})
	w.steps.hold = map[sluice.StepID]chan struct{}{"production/apply": hold}
	id := w.start(planOf("shop", "2.3"), "ci")
	b := w.open(t, "ana")
	b.visit(pathOf(id))
	b.eval(`window.stays = true`, nil)
	shown := make(chan struct{})
	var said sync.WaitGroup
	said.Go(func() { // progress reaches those who watch already, so it is said again
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for {
			select {
			case hold <- struct{}{}:
				<-again.C
			case <-shown:
				close(hold)
				return
			}
		}
	})
	b.waitFor(".live", "copies production, 3.0 MiB of 8.0 MiB (37 %)")
	close(shown)
	said.Wait()
	b.waitFor(".state", "waits for the approval")
	b.waitFor("#deployment-actions", "Approve")
	sig := sluice.Signal{Kind: sluice.SignalApprove, Step: "production/canary/1", By: people["ana"].Actor}
	if err := w.engine.Signal(t.Context(), id, sig); err != nil {
		t.Fatal(err)
	}
	b.waitFor(".state", "runs in every target")
	b.waitFor(".log", "ended: succeeded")
	var stays bool
	b.eval(`window.stays === true`, &stays)
	if !stays {
		t.Error("the page was loaded again")
	}
}

func TestTheOverviewIsFollowedLive(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	b := w.open(t, "ana")
	b.visit("/")
	b.waitFor("main", "Two commands make the first deployment appear")
	id := w.start(planOf("shop", "2.3"), "ci")
	b.waitFor(".overview", "waits: the approval of owner")
	b.do(chromedp.SendKeys(`input[type=search]`, "mail", chromedp.ByQuery))
	var rows int
	b.eval(`[...document.querySelectorAll(".overview tbody tr")].filter(r => !r.hidden).length`, &rows)
	if rows != 0 {
		t.Errorf("%d rows pass the filter", rows)
	}
	sig := sluice.Signal{Kind: sluice.SignalReject, Step: "production/canary/1", By: people["ana"].Actor}
	if err := w.engine.Signal(t.Context(), id, sig); err != nil {
		t.Fatal(err)
	}
	for range len("mail") {
		b.do(chromedp.KeyEvent(kb.Backspace))
	}
	b.waitFor(".overview", "rolled back")
}

func TestADeploymentIsRejected(t *testing.T) {
	w, id := waitingWorld(t)
	b := w.open(t, "ana")
	b.visit(pathOf(id))
	b.do(chromedp.Click(`[id^="sheet-reject"] summary`, chromedp.ByQuery),
		chromedp.WaitVisible(`details[open] button`, chromedp.ByQuery))
	b.waitFor("details[open]", "What was done in production is undone.")
	b.do(chromedp.SendKeys(`details[open] input[name=reason]`, "too slow", chromedp.ByQuery),
		chromedp.Click(`details[open] button`, chromedp.ByQuery))
	b.waitFor(".state", "failed and was undone")
	w.expectSignal(id, "reject by ana via page: too slow")
}

func TestAnApplicationGoesBack(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	w.deploy(planOf("shop", "2.2"))
	w.deploy(planOf("shop", "2.3"))
	b := w.open(t, "ana")
	b.visit("/applications/shop")
	b.waitFor(".history", "Go back to this")
	b.do(chromedp.Click(`.history .do a`, chromedp.ByQuery))
	b.waitFor("main", "production: 2.3 → 2.2")
	b.waitFor("main", "The data stays as it is")
	b.waitFor(".diff .add", "shop:2.2")
	b.do(chromedp.SendKeys(`input[name=reason]`, "errors rise", chromedp.ByQuery),
		chromedp.Click(`button.press`, chromedp.ByQuery))
	b.waitFor("h1", "shop 2.2")
	b.waitFor(".state", "runs in every target")
	if list, err := w.store.Deployments(t.Context(), "shop"); err != nil || len(list) != 3 || list[0].StartedBy != "ana" {
		t.Errorf("the deployments are %v, %v", list, err)
	}
}

func TestAReportIsReadOnThePage(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	id := w.deploy(planOf("shop", "2.2"))
	b := w.open(t, "ana")
	b.visit(pathOf(id))
	b.do(chromedp.Click(`a[id="step-production/after/0"]`, chromedp.ByQuery))
	b.waitFor(".evidence", "12 documents are missing")
	b.waitFor(".evidence .keys", `ObjectId("65f0a00")`)
	b.waitFor(".evidence", "it is lower than the baseline")
	var href string
	b.eval(`document.querySelector("a[download]").getAttribute("href")`, &href)
	if _, body := w.get(href, "ana"); !strings.Contains(body, "65f0a11") {
		t.Errorf("the report is %s", body)
	}
}

// Without scripts forms and links do everything, and a reload shows what is new.
func TestEverythingWorksWithoutScripts(t *testing.T) {
	w, id := waitingWorld(t)
	b := w.open(t, "ana")
	b.do(network.Enable(), network.SetBlockedURLs([]string{"*.js"})) // there is no script but this file
	has := func(selector string) { b.until(fmt.Sprintf(`document.querySelector(%q) !== null`, selector)) }
	press := func(sheet string) {
		has(sheet)
		b.do(chromedp.Click(sheet+" summary", chromedp.ByQuery))
		b.until(fmt.Sprintf(`document.querySelector(%q)?.open`, sheet))
		b.do(chromedp.Click(sheet+" button", chromedp.ByQuery))
	}
	b.visit("/")
	b.do(chromedp.Click(`.overview .yours td:nth-child(3) a`, chromedp.ByQuery))
	press("#sheet-pause")
	press("#sheet-continue")
	has("#sheet-pause")
	press(`[id^="sheet-approve"]`)
	w.until(id, hasEnded)
	b.visit(pathOf(id))
	b.waitFor(".state", "runs in every target")
	b.do(chromedp.Click(`a[href$="/rollback"]`, chromedp.ByQuery))
	has("button.press")
	b.do(chromedp.Click(`button.press`, chromedp.ByQuery))
	has("#deployment-graph")
	if list, err := w.store.Deployments(t.Context(), "shop"); err != nil || len(list) != 3 {
		t.Errorf("the deployments are %v, %v", list, err)
	}
}

func TestADeploymentIsApprovedByKeyboard(t *testing.T) {
	w, id := waitingWorld(t)
	b := w.open(t, "ana")
	b.visit(pathOf(id))
	b.do(chromedp.KeyEvent(kb.Tab))
	focused := func() (text string) {
		b.eval(`document.activeElement.innerText || document.activeElement.name || ""`, &text)
		return text
	}
	if text := focused(); text != "Skip to the content" {
		t.Errorf("the first stop is %q", text)
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	for range 10 {
		if b.do(chromedp.KeyEvent(kb.Tab)); focused() == "Approve…" {
			break
		}
	}
	if text := focused(); text != "Approve…" {
		t.Fatalf("after ten stops the focus is at %q", text)
	}
	var outline string
	b.eval(`getComputedStyle(document.activeElement).outlineStyle`, &outline)
	if outline != "solid" {
		t.Errorf("the focus is not visible: %q", outline)
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.name === "reason"`)
	b.do(chromedp.KeyEvent("fine"), chromedp.KeyEvent(kb.Enter))
	b.waitFor(".state", "runs in every target")
	w.expectSignal(id, "approve by ana via page: fine")
}

func TestADeploymentIsApprovedOnAPhone(t *testing.T) {
	w, id := waitingWorld(t)
	b := w.open(t, "ana")
	b.phone()
	b.visit(pathOf(id))
	var reach struct {
		Top, Bottom, Width float64
		Wide               bool
	}
	b.eval(`(() => { const r = document.querySelector("[id^=sheet-approve] summary").getBoundingClientRect();
		return {top: r.top, bottom: r.bottom, width: r.width, wide: document.documentElement.scrollWidth > innerWidth} })()`,
		&reach)
	if reach.Top < 844/2 || reach.Bottom > 844 || reach.Width < 100 || reach.Wide {
		t.Errorf("a thumb does not reach the button: %+v", reach)
	}
	b.do(chromedp.Click(`[id^="sheet-approve"] summary`, chromedp.ByQuery),
		chromedp.WaitVisible(`details[open] button`, chromedp.ByQuery))
	b.shoot("sheet-phone")
	b.do(chromedp.Click(`details[open] button`, chromedp.ByQuery))
	b.waitFor(".state", "runs in every target")
	w.expectSignal(id, "approve by ana via page: ")
}

// A sheet that a person fills in stays while the deployment goes on below it.
func TestAnOpenSheetStays(t *testing.T) {
	w, id := waitingWorld(t)
	b := w.open(t, "ana")
	b.visit(pathOf(id))
	b.do(chromedp.Click(`#sheet-cancel summary`, chromedp.ByQuery),
		chromedp.WaitVisible(`#sheet-cancel input[name=reason]`, chromedp.ByQuery),
		chromedp.SendKeys(`#sheet-cancel input[name=reason]`, "half a rea", chromedp.ByQuery))
	sig := sluice.Signal{Kind: sluice.SignalApprove, Step: "production/canary/1", By: people["ana"].Actor}
	if err := w.engine.Signal(t.Context(), id, sig); err != nil {
		t.Fatal(err)
	}
	b.waitFor(".state", "runs in every target")
	var reason string
	b.eval(`document.querySelector("#sheet-cancel input[name=reason]").value`, &reason)
	if reason != "half a rea" {
		t.Errorf("the reason is now %q", reason)
	}
	b.do(chromedp.Click(`#sheet-cancel button`, chromedp.ByQuery))
	b.waitFor(".refused", "has ended")
}
