package job_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
	"github.com/sluice-cd/sluice/internal/mover/remote"
	"github.com/sluice-cd/sluice/internal/mover/tree"
)

// claim makes a claim of the class without snapshots and returns it as a volume.
func (p *place) claim(name string) sluice.Volume { return p.claimOf("standard", name) }

// claimOf makes a claim of the class and returns it as a volume.
func (p *place) claimOf(class, name string) sluice.Volume {
	p.Helper()
	_, err := p.client.CoreV1().PersistentVolumeClaims(p.Namespace).Create(p.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("4Gi")},
			},
		},
	}, metav1.CreateOptions{})
	must(p.T, err)
	return sluice.Volume{Namespace: p.Namespace, Claim: name, Generation: "g", Mount: name}
}

func (p *place) work(kind sluice.TransferKind, id string, v sluice.Volume) sluice.Transfer {
	return sluice.Transfer{Kind: kind, ID: id, Place: p.Place, Volumes: []sluice.Volume{v}}
}

// plant fills the volume with so many files of one segment each, and returns their entries.
func (p *place) plant(trees *remote.Trees, v sluice.Volume, files int) []tree.Entry {
	p.Helper()
	work := p.work(sluice.TransferRestore, "plant-"+v.Claim, v)
	w, err := trees.Writer(p.Context(), work, v, "")
	must(p.T, err)
	at := time.Unix(1e9, 0)
	root := tree.Entry{Path: tree.Root, Kind: tree.Dir, Mode: 0o750, UID: 999, GID: 999, ModTime: at}
	all := []tree.Entry{{Path: "db", Kind: tree.Dir, Mode: 0o770 | fs.ModeSetgid, UID: 999, GID: 999,
		ModTime: at}}
	for i := range files {
		all = append(all, tree.Entry{
			Path: fmt.Sprintf("db/file-%04d", i), Kind: tree.File, Mode: 0o600, UID: 999, GID: 998,
			Size: tree.Segment, ModTime: at,
		})
	}
	must(p.T, w.Make(p.Context(), all))
	noise, segment := rand.NewChaCha8([32]byte{}), make([]byte, tree.Segment)
	for _, e := range all[1:] {
		_, _ = noise.Read(segment) // it never fails
		must(p.T, w.Write(p.Context(), []tree.Piece{{Path: e.Path, Length: tree.Segment, Data: segment}}))
	}
	must(p.T, w.Seal(p.Context(), append(all[1:len(all):len(all)], all[0], root)))
	must(p.T, w.Close())
	must(p.T, trees.End(p.Context(), work))
	return append([]tree.Entry{root}, all...)
}

// read returns the entries of the volume and the sums of its segments.
func (p *place) read(trees *remote.Trees, v sluice.Volume) (all []tree.Entry, sums map[string]tree.Sum) {
	p.Helper()
	work := p.work(sluice.TransferCopy, "read-"+v.Claim, v)
	r, err := trees.Reader(p.Context(), work, v)
	must(p.T, err)
	var parts []tree.Part
	must(p.T, r.Entries(p.Context(), func(e tree.Entry) error {
		e.Sparse = false
		all = append(all, e)
		if e.Kind == tree.File {
			parts = append(parts, tree.Part{Path: e.Path, Length: e.Size})
		}
		return nil
	}))
	var mu sync.Mutex
	sums = map[string]tree.Sum{}
	must(p.T, r.Read(p.Context(), parts, func(piece tree.Piece) error {
		mu.Lock()
		defer mu.Unlock()
		sums[fmt.Sprint(piece.Path, " ", piece.Offset)] = piece.Sum
		return nil
	}))
	must(p.T, r.Close())
	must(p.T, trees.End(p.Context(), work))
	return all, sums
}

// open returns kopia over the Jobs of the options, as Sluice wires it.
func open(t *testing.T, o beside.Options) (sluice.Mover, *remote.Trees) {
	t.Helper()
	bench := beside.New(o)
	t.Cleanup(bench.Close)
	trees := remote.New(bench)
	m, err := kopia.Open(t.Context(), kopia.Options{
		Dir: t.TempDir(), CacheDir: t.TempDir(), Reader: trees.Reader, Writer: trees.Writer,
		Password: func(context.Context) (string, error) { return "sesame", nil },
	})
	must(t, err)
	t.Cleanup(func() { must(t, m.Close(context.WithoutCancel(t.Context()))) })
	return mover.Wrap(remote.Ending(m, trees)), trees
}

func TestCopyAndRestore(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]beside.Options{
		"Sluice connects": options(sluiceImage), "the Job connects": listening(t, options(sluiceImage)),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			m, trees := open(t, o)
			from, to := p.claim("from"), p.claim("to")
			want := p.plant(trees, from, 8)
			c, err := mover.Run(t.Context(), m, p.work(sluice.TransferCopy, "d-1", from), nil)
			must(t, err)
			if c.Files != 8 || c.Bytes != 8*tree.Segment {
				t.Errorf("the copy is %+v", c)
			}
			back := p.work(sluice.TransferRestore, "r-1", to)
			back.Copy = c
			_, err = mover.Run(t.Context(), m, back, nil)
			must(t, err)
			entries, sums := p.read(trees, to)
			_, before := p.read(trees, from)
			if diff := cmp.Diff(want, entries); diff != "" {
				t.Errorf("it came back otherwise: %s", diff)
			}
			if diff := cmp.Diff(before, sums); diff != "" || len(sums) != 8 {
				t.Errorf("%d segments came back otherwise: %s", len(sums), diff)
			}
			if left := p.left(); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

// A pod that is killed in the middle is replaced, and the copy is whole.
func TestAKilledPodIsReplaced(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	m, trees := open(t, options(sluiceImage))
	from := p.claim("from")
	p.plant(trees, from, 16)
	kill := sync.OnceFunc(func() { p.kill() })
	c, err := mover.Run(t.Context(), m, p.work(sluice.TransferCopy, "d-1", from), func(a sluice.Amount) {
		if a.Done > 0 {
			kill()
		}
	})
	must(t, err)
	if c.Files != 16 {
		t.Errorf("the copy is %+v", c)
	}
	must(t, trees.End(t.Context(), p.work(sluice.TransferCopy, "d-1", from))) // it ends in the background
	verify := sluice.Transfer{Kind: sluice.TransferVerify, ID: "v-1", Place: p.Place, Copy: c}
	_, err = mover.Run(t.Context(), m, verify, nil)
	must(t, err)
	if left := p.left(); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// kill ends the pods of Jobs at once.
func (p *place) kill() {
	p.Helper()
	now := int64(0)
	must(p.T, p.client.CoreV1().Pods(p.Namespace).DeleteCollection(p.Context(),
		metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{LabelSelector: "sluice-cd.github.io/work"}))
}

func TestCancelLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	m, trees := open(t, options(sluiceImage))
	from := p.claim("from")
	p.plant(trees, from, 4)
	work := p.work(sluice.TransferCopy, "d-1", from)
	jobs, err := p.client.BatchV1().Jobs(p.Namespace).Watch(t.Context(), metav1.ListOptions{})
	must(t, err)
	defer jobs.Stop()
	must(t, m.Begin(t.Context(), work))
	<-jobs.ResultChan() // the Job is made in the background
	must(t, m.Cancel(t.Context(), work))
	if left := p.left(); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestAPodThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	o := options("example.invalid/sluice:1")
	o.Patience = time.Minute
	m, trees := open(t, o)
	work := p.work(sluice.TransferCopy, "d-1", p.claim("from"))
	_, err := mover.Run(t.Context(), m, work, nil)
	if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "example.invalid/sluice:1") {
		t.Errorf("an image that cannot be pulled: %v", err)
	}
	must(t, trees.End(t.Context(), work))
	_, err = p.client.CoreV1().ResourceQuotas(p.Namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "small"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	}, metav1.CreateOptions{})
	must(t, err)
	small, _ := open(t, options(sluiceImage))
	_, err = mover.Run(t.Context(), small, work, nil)
	if sluice.ErrorCode(err) != sluice.Exhausted || !strings.Contains(err.Error(), "exceeded quota: small") {
		t.Errorf("no quota: %v", err)
	}
	must(t, trees.End(t.Context(), work))
}
