package movertest

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

// A Subject is one repository of the mover that is tested.
type Subject struct {
	Dir  string                          // where the repository's blobs are; "" skips the tests that damage them
	Open func(t *testing.T) sluice.Mover // opens it; may be called again
	Sent func() int64                    // how many bytes were written into volumes so far; nil: nobody counts
}

// Run tests every sentence of the contract of [sluice.Mover], each on a new, empty repository.
func Run(t *testing.T, make func(t *testing.T) Subject) {
	for name, prove := range map[string]func(*testing.T, Subject){
		"a copy comes back as it was":            comesBack,
		"links, owners and attributes come back": keepsMetadata,
		"many small files are copied":            copiesMany,
		"the same id gives the same copy":        sameID,
		"a second copy adds what changed":        addsLittle,
		"work begun twice is done once":          beginsOnce,
		"work that is not there is not followed": followsNothing,
		"another instance finds and follows":     otherInstance,
		"an interrupted copy is made again":      copyInterrupted,
		"an interrupted restore is made again":   restoreInterrupted,
		"a restore that is cut often goes on":    restoreGoesOn,
		"another copy's restore begins anew":     restoreOther,
		"cancelled work has stopped":             cancels,
		"nothing foreign is overwritten":         overwritesNothing,
		"damage is found":                        findsDamage,
		"a deleted copy is gone, the rest stays": deletes,
		"a half-made copy is deleted":            deletesHalf,
		"deleting never copies":                  deletesOnly,
		"a volume out of reach is refused":       outOfReach,
		"a name that would be lost is refused":   keepsNames,
		"progress reaches its total":             reports,
	} {
		t.Run(name, func(t *testing.T) { prove(t, make(t)) })
	}
}

func comesBack(t *testing.T, s Subject) {
	a, b := t.TempDir(), t.TempDir()
	plant(t, a)
	must(t, fill(filepath.Join(b, "large"), largeSize))
	m := s.Open(t)
	c := copyOf(t, m, "d-1", a, b)
	if diff := cmp.Diff([]string{"claim-0", "claim-1"}, c.Claims); diff != "" {
		t.Errorf("claims: %s", diff)
	}
	if want := int64(contentBytes + largeSize); c.Bytes != want || c.Files != int64(contentFiles+1) {
		t.Errorf("the copy says %d bytes in %d files, it is %d in %d", c.Bytes, c.Files, want, contentFiles+1)
	}
	x, y := t.TempDir(), t.TempDir()
	must(t, restore(t.Context(), s.Open(t), c, x, y))
	same(t, a, x)
	same(t, b, y)
	if blocks, whole := allocated(t, filepath.Join(x, "sparse")), int64(sparseSize); blocks > whole/4 {
		t.Errorf("the sparse file takes %d bytes of disk", blocks)
	}
	must(t, verify(t.Context(), m, c))
}

func sameID(t *testing.T, s Subject) {
	a := t.TempDir()
	write(t, filepath.Join(a, "f"), []byte("before"), 0o600)
	m := s.Open(t)
	first := copyOf(t, m, "d-1", a)
	write(t, filepath.Join(a, "f"), []byte("after!"), 0o600)
	if diff := cmp.Diff(first, copyOf(t, s.Open(t), "d-1", a)); diff != "" {
		t.Errorf("the same id gave another copy: %s", diff)
	}
	if diff := cmp.Diff(first.Snapshots, copyOf(t, m, "d-2", a).Snapshots); diff == "" {
		t.Error("another id gave the same copy")
	}
}

func addsLittle(t *testing.T, s Subject) {
	a := t.TempDir()
	name := filepath.Join(a, "data")
	must(t, fill(name, 64<<20))
	m := s.Open(t)
	first := copyOf(t, m, "d-1", a)
	if first.Added < 8<<20 {
		t.Errorf("the first copy of 64 MiB added only %d bytes", first.Added)
	}
	must(t, change(name, 64<<20))
	if second := copyOf(t, m, "d-2", a); second.Added > first.Added/2 {
		t.Errorf("after a change of one place the second copy added %d bytes, the first %d", second.Added, first.Added)
	}
	// A change that keeps size and times must be noticed too.
	info, err := os.Stat(name)
	must(t, err)
	must(t, change(name, 8<<20))
	must(t, os.Chtimes(name, info.ModTime(), info.ModTime()))
	x := t.TempDir()
	must(t, restore(t.Context(), m, copyOf(t, m, "d-3", a), x))
	same(t, a, x)
}

func copyInterrupted(t *testing.T, s Subject) {
	a := t.TempDir()
	must(t, fill(filepath.Join(a, "data"), 64<<20))
	interrupted(t, s.Open(t), transfer(sluice.TransferCopy, "d-1", a), 32<<20)
	m := s.Open(t)
	c := copyOf(t, m, "d-1", a)
	must(t, verify(t.Context(), m, c))
	if whole := copyOf(t, m, "d-2", a); whole.Bytes != c.Bytes || whole.Added > 8<<20 {
		t.Errorf("after the interrupted copy: %+v, then %+v", c, whole)
	}
}

func restoreInterrupted(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	plant(t, a)
	m := s.Open(t)
	c := copyOf(t, m, "d-1", a)
	half := transfer(sluice.TransferRestore, "r-1", x)
	half.Copy = c
	interrupted(t, m, half, 0)
	must(t, restore(t.Context(), s.Open(t), c, x))
	same(t, a, x)
}

// onTheWay is the most that a cut may make a mover send again: a few segments.
const onTheWay = 16 << 20

// restoreGoesOn: the restore is cut at every tenth of its bytes.
func restoreGoesOn(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	plant(t, a)
	must(t, fill(filepath.Join(a, "large"), largeSize))
	c := copyOf(t, s.Open(t), "d-1", a)
	work := transfer(sluice.TransferRestore, "r-1", x)
	work.Copy = c
	for tenth := range int64(9) {
		interrupted(t, s.Open(t), work, c.Bytes*(tenth+1)/10)
	}
	must(t, restore(t.Context(), s.Open(t), c, x))
	same(t, a, x)
	if blocks, whole := allocated(t, filepath.Join(x, "sparse")), int64(sparseSize); blocks > whole/4 {
		t.Errorf("the sparse file takes %d bytes of disk", blocks)
	}
	if s.Sent == nil {
		return
	}
	if sent := s.Sent(); sent > c.Bytes+9*onTheWay {
		t.Errorf("%d bytes were sent for %d", sent, c.Bytes)
	}
}

// restoreOther: of what the restore of another copy left nothing stays.
func restoreOther(t *testing.T, s Subject) {
	a, b, x := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "early"), []byte("of the first copy"), 0o600)
	must(t, fill(filepath.Join(a, "large"), largeSize))
	plant(t, b)
	m := s.Open(t)
	half := transfer(sluice.TransferRestore, "r-1", x)
	half.Copy = copyOf(t, m, "d-1", a)
	if !interrupted(t, m, half, half.Copy.Bytes/2) {
		return
	}
	must(t, restore(t.Context(), m, copyOf(t, m, "d-2", b), x))
	same(t, b, x)
}

func overwritesNothing(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "f"), []byte("ours"), 0o600)
	write(t, filepath.Join(x, "f"), []byte("theirs"), 0o600)
	m := s.Open(t)
	err := restore(t.Context(), m, copyOf(t, m, "d-1", a), x)
	if sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("a restore into a volume that is not empty: %v", err)
	}
	if raw, err := os.ReadFile(filepath.Join(x, "f")); err != nil || string(raw) != "theirs" {
		t.Errorf("the file there is now %q, %v", raw, err)
	}
}

func findsDamage(t *testing.T, s Subject) {
	if s.Dir == "" {
		t.Skip("the repository's blobs cannot be reached")
	}
	a, x := t.TempDir(), t.TempDir()
	must(t, fill(filepath.Join(a, "data"), 8<<20))
	m := s.Open(t)
	c := copyOf(t, m, "d-1", a)
	must(t, restore(t.Context(), m, c, t.TempDir()))
	damaged := damage(t, s.Dir)
	for who, m := range map[string]sluice.Mover{"the same mover": m, "another mover": s.Open(t)} {
		if err := verify(t.Context(), m, c); sluice.ErrorCode(err) != sluice.Failed || !names(err, damaged) {
			t.Errorf("%s does not name the damaged blob %s: %v", who, damaged, err)
		}
	}
	if err := restore(t.Context(), m, c, x); sluice.ErrorCode(err) != sluice.Failed {
		t.Errorf("restoring a damaged copy: %v", err)
	}
}

func deletes(t *testing.T, s Subject) {
	a := t.TempDir()
	write(t, filepath.Join(a, "f"), []byte("content"), 0o600)
	m := s.Open(t)
	one, two := copyOf(t, m, "d-1", a), copyOf(t, m, "d-2", a)
	for range 2 {
		must(t, s.Open(t).Delete(t.Context(), place, "d-1"))
	}
	isAbsent(t, m, transfer(sluice.TransferCopy, "d-1", a))
	if err := verify(t.Context(), m, one); sluice.ErrorCode(err) != sluice.Failed {
		t.Errorf("a deleted copy verifies: %v", err)
	}
	must(t, verify(t.Context(), s.Open(t), two))
	must(t, verify(t.Context(), m, copyOf(t, m, "d-1", a)))
}

func outOfReach(t *testing.T, s Subject) {
	_, err := mover.Run(t.Context(), s.Open(t), transfer(sluice.TransferCopy, "d-1", ""), nil)
	if sluice.ErrorCode(err) != sluice.Unsupported {
		t.Errorf("copy: %v", err)
	}
}

// keepsNames: file names are bytes, not always text. They come back as they were, or nothing is copied.
func keepsNames(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "not \xff text"), []byte("content"), 0o600)
	m := s.Open(t)
	c, err := mover.Run(t.Context(), m, transfer(sluice.TransferCopy, "d-1", a), nil)
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return
	}
	must(t, err)
	must(t, restore(t.Context(), m, c, x))
	same(t, a, x)
}

func reports(t *testing.T, s Subject) {
	a := t.TempDir()
	plant(t, a)
	m := s.Open(t)
	var last atomic.Pointer[sluice.Amount]
	report := func(p sluice.Amount) { last.Store(&p) }
	c, err := mover.Run(t.Context(), m, transfer(sluice.TransferCopy, "d-1", a), report)
	must(t, err)
	want := sluice.Amount{Unit: "bytes", Done: contentBytes, Total: contentBytes}
	check := func(what string) {
		if diff := cmp.Diff(&want, last.Swap(nil)); diff != "" {
			t.Errorf("the last report of %s: %s", what, diff)
		}
	}
	check("copy")
	must(t, reporting(t.Context(), m, c, report, t.TempDir()))
	check("restore")
}
