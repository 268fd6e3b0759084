package job_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/movertest"
)

// TestMeasure prints how fast volumes are copied and filled through Jobs, and how fast tar and rsync are between two
// pods in the same run. E2E_JOB_MIB says how large the volume is. It needs the clusters of this machine.
func TestMeasure(t *testing.T) {
	size, err := strconv.ParseInt(os.Getenv("E2E_JOB_MIB"), 10, 64)
	if err != nil || !pair.Owned {
		t.Skip("E2E_JOB_MIB is not set, or the clusters are elsewhere")
	}
	bootstrap.SaveMemory()
	m := &measuring{place: newPlace(t)}
	m.from = m.claim("from")
	m.pod(tools("bind", "true", m.from), corev1.PodSucceeded)
	must(t, movertest.Sow(m.dir(m.from), size<<20))
	line(fmt.Sprint(size, " MiB BETWEEN TWO PODS"), "FIGURE", "GOAL", "")
	m.rivals()
	ways := []*way{m.way("Sluice connects", options(sluiceImage))}
	forgetPeak()
	m.first(ways[0])
	m.memory("memory of Sluice", peakOf("/proc/self")>>20)
	ways = append(ways, m.way("the Job connects", listening(t, options(sluiceImage))))
	m.first(ways[1])
	must(t, movertest.Change(m.dir(m.from), size<<20))
	m.rsync("rsync again, 1 % changed")
	m.drop("received")
	for _, w := range ways {
		m.row(w.name+": copy again, 1 % changed", w.copy("again", m.from), limit{"a tenth of the first", w.first / 10})
	}
	for _, w := range ways {
		m.row(w.name+": restore", w.restore("full"), limit{})
		m.memory(w.name+": memory of the Job", w.peak)
		m.row(w.name+": copy of an empty volume", w.copy("empty", m.claim(w.id+"-empty")), limit{"2 s", 2 * time.Second})
		m.row(w.name+": restore of an empty volume", w.restore("empty"), limit{"2 s", 2 * time.Second})
	}
}

// line prints one line of the table at once: the next one may take minutes.
func line(what, figure, goal, verdict string) {
	fmt.Printf("%-46s  %8s  %-20s  %s\n", what, figure, goal, verdict)
}

// measuring is one volume, and how long tar needs for it.
type measuring struct {
	*place
	from     sluice.Volume
	receiver string // the address of the pod that receives; "": the tools are not here
	tar      time.Duration
}

func (m *measuring) rivals() {
	if names := lacking(); len(names) > 0 {
		m.Logf("not installed, so nothing is compared: %s", strings.Join(names, ", "))
		return
	}
	m.receiver = m.pod(tools("receiver", receive, m.claim("received")), corev1.PodRunning).Status.PodIP
	m.tar = m.send("tar", sendTar, m.receiver, m.from)
	m.row("tar | zstd -1", m.tar, limit{})
	m.rsync("rsync")
}

func (m *measuring) rsync(what string) {
	if m.receiver != "" {
		name := strings.NewReplacer(" ", "-", ",", "", "%", "percent").Replace(what)
		m.row(what, m.send(name, sendRsync, m.receiver, m.from), limit{})
	}
}

// A limit is how long something may take; zero: it has none.
type limit struct {
	text string
	time.Duration
}

func (m *measuring) row(what string, took time.Duration, at limit) {
	verdict := ""
	switch {
	case at.Duration == 0:
		at.text = "-"
	case took > at.Duration:
		verdict = "missed"
	default:
		verdict = "met"
	}
	line(what, fmt.Sprintf("%.2f s", took.Seconds()), at.text, verdict)
}

func (m *measuring) memory(what string, megabytes int64) {
	verdict := "met"
	if megabytes > 300 {
		verdict = "missed"
	}
	line(what, fmt.Sprint(megabytes, " MB"), "at most 300 MB", verdict)
}

func (m *measuring) first(w *way) {
	m.Helper()
	w.first = w.copy("first", m.from)
	m.row(w.name+": first copy", w.first, limit{"at most 2 times tar", 2 * m.tar})
}

// A way is how Sluice and its Jobs reach each other. It has a repository of its own.
type way struct {
	*place
	id, name string
	mover    sluice.Mover
	first    time.Duration
	copied   sluice.Copy // the last one
	peak     int64       // MB of memory that a Job has had at most
}

func (m *measuring) way(name string, o beside.Options) *way {
	mover, _ := open(m.T, o)
	id, _, _ := strings.Cut(strings.ToLower(name), " ")
	return &way{place: m.place, id: id, name: name, mover: mover}
}

func (w *way) copy(what string, v sluice.Volume) time.Duration {
	w.Helper()
	return w.measure(w.work(sluice.TransferCopy, w.Namespace+w.id+what, v))
}

// restore fills a new volume from the last copy.
func (w *way) restore(what string) time.Duration {
	w.Helper()
	t := w.work(sluice.TransferRestore, w.Namespace+w.id+what, w.claim(w.id+"-to-"+what))
	t.Copy = w.copied
	defer w.drop(t.Volumes[0].Claim)
	return w.measure(t)
}

// drop deletes the claim and the pods of tools with it: the disk may not hold several large volumes.
func (p *place) drop(claim string) {
	p.Helper()
	core, all := p.client.CoreV1(), metav1.ListOptions{LabelSelector: "volume=" + claim}
	must(p.T, core.Pods(p.Namespace).DeleteCollection(p.Context(), metav1.DeleteOptions{}, all))
	err := core.PersistentVolumeClaims(p.Namespace).Delete(p.Context(), claim, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		must(p.T, err)
	}
}

func (w *way) measure(t sluice.Transfer) time.Duration {
	w.Helper()
	must(w.T, w.mover.Cancel(w.Context(), t)) // it waits until the Job before is gone
	peaks := watchPeaks(beside.Name(string(t.Kind), t.ID))
	begin := time.Now()
	c, err := mover.Run(w.Context(), w.mover, t, nil)
	took := time.Since(begin)
	must(w.T, err)
	w.copied, w.peak = c, max(w.peak, peaks.stop())
	return took
}

// dir returns where this machine has the volume of the claim.
func (p *place) dir(v sluice.Volume) string {
	p.Helper()
	claim, err := p.client.CoreV1().PersistentVolumeClaims(p.Namespace).Get(p.Context(), v.Claim, metav1.GetOptions{})
	must(p.T, err)
	return filepath.Join(pair.Cluster01.Volumes(), claim.Spec.VolumeName)
}
