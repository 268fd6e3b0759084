package movertest

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// A Subject is one repository of the mover that is tested.
type Subject struct {
	Dir  string                          // where the repository's blobs are; "" skips what has to damage them
	Open func(t *testing.T) sluice.Mover // opens it, also again
}

// Run proves the sentences of the contract of [sluice.Mover], each on a new, empty repository.
func Run(t *testing.T, make func(t *testing.T) Subject) {
	for name, prove := range map[string]func(*testing.T, Subject){
		"a copy comes back as it was":             comesBack,
		"the same id gives the same copy":         sameID,
		"a second copy adds what changed":         addsLittle,
		"an interrupted copy is made again":       copyInterrupted,
		"an interrupted restore is made again":    restoreInterrupted,
		"nothing foreign is overwritten":          overwritesNothing,
		"damage is found":                         findsDamage,
		"what is deleted is gone, the rest stays": deletes,
		"a volume out of reach is refused":        outOfReach,
		"a name that would be lost is refused":    keepsNames,
		"progress reaches its total":              reports,
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
	if err := s.Open(t).Restore(t.Context(), c, volumes(x, y), nil); err != nil {
		t.Fatal(err)
	}
	same(t, a, x)
	same(t, b, y)
	if blocks, whole := allocated(t, filepath.Join(x, "sparse")), int64(sparseSize); blocks > whole/4 {
		t.Errorf("the sparse file takes %d bytes of disk", blocks)
	}
	if err := m.Verify(t.Context(), c, nil); err != nil {
		t.Errorf("verify: %v", err)
	}
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
	if err := fill(name, 64<<20); err != nil {
		t.Fatal(err)
	}
	m := s.Open(t)
	first := copyOf(t, m, "d-1", a)
	if first.Added < 8<<20 {
		t.Errorf("the first copy of 64 MiB added only %d bytes", first.Added)
	}
	if err := change(name, 64<<20); err != nil {
		t.Fatal(err)
	}
	if second := copyOf(t, m, "d-2", a); second.Added > first.Added/2 {
		t.Errorf("after a change of one place the second copy added %d bytes, the first %d", second.Added, first.Added)
	}
	// A change that leaves size and times as they were is a change.
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := change(name, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	x := t.TempDir()
	if err := m.Restore(t.Context(), copyOf(t, m, "d-3", a), volumes(x), nil); err != nil {
		t.Fatal(err)
	}
	same(t, a, x)
}

func copyInterrupted(t *testing.T, s Subject) {
	a := t.TempDir()
	if err := fill(filepath.Join(a, "data"), 64<<20); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Open(t).Copy(ctx, "d-1", volumes(a), func(p sluice.Amount) {
		if p.Done > 32<<20 {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("a copy that was interrupted at its half succeeded")
	}
	m := s.Open(t)
	c := copyOf(t, m, "d-1", a)
	if err := m.Verify(t.Context(), c, nil); err != nil {
		t.Error(err)
	}
	if whole := copyOf(t, m, "d-2", a); whole.Bytes != c.Bytes || whole.Added > 8<<20 {
		t.Errorf("after the interrupted copy: %+v, then %+v", c, whole)
	}
}

func restoreInterrupted(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	plant(t, a)
	m := s.Open(t)
	c := copyOf(t, m, "d-1", a)
	ctx, cancel := context.WithCancel(t.Context())
	if err := m.Restore(ctx, c, volumes(x), func(sluice.Amount) { cancel() }); err == nil {
		t.Fatal("a restore that was interrupted succeeded")
	}
	if err := s.Open(t).Restore(t.Context(), c, volumes(x), nil); err != nil {
		t.Fatal(err)
	}
	same(t, a, x)
}

func overwritesNothing(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "f"), []byte("ours"), 0o600)
	write(t, filepath.Join(x, "f"), []byte("theirs"), 0o600)
	m := s.Open(t)
	err := m.Restore(t.Context(), copyOf(t, m, "d-1", a), volumes(x), nil)
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
	if err := fill(filepath.Join(a, "data"), 8<<20); err != nil {
		t.Fatal(err)
	}
	m := s.Open(t)
	c := copyOf(t, m, "d-1", a)
	if err := m.Restore(t.Context(), c, volumes(t.TempDir()), nil); err != nil {
		t.Fatal(err)
	}
	damaged := damage(t, s.Dir)
	for who, m := range map[string]sluice.Mover{"the same mover": m, "another mover": s.Open(t)} {
		if err := m.Verify(t.Context(), c, nil); sluice.ErrorCode(err) != sluice.Failed || !names(err, damaged) {
			t.Errorf("%s does not name the damaged blob %s: %v", who, damaged, err)
		}
	}
	if err := m.Restore(t.Context(), c, volumes(x), nil); sluice.ErrorCode(err) != sluice.Failed {
		t.Errorf("restoring a damaged copy: %v", err)
	}
}

func deletes(t *testing.T, s Subject) {
	a := t.TempDir()
	write(t, filepath.Join(a, "f"), []byte("content"), 0o600)
	m := s.Open(t)
	one, two := copyOf(t, m, "d-1", a), copyOf(t, m, "d-2", a)
	for range 2 {
		if err := m.Delete(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Verify(t.Context(), one, nil); sluice.ErrorCode(err) != sluice.Failed {
		t.Errorf("a deleted copy verifies: %v", err)
	}
	if err := s.Open(t).Verify(t.Context(), two, nil); err != nil {
		t.Errorf("the other copy: %v", err)
	}
	if c := copyOf(t, m, "d-1", a); m.Verify(t.Context(), c, nil) != nil {
		t.Error("the id of a deleted copy cannot be used again")
	}
}

func outOfReach(t *testing.T, s Subject) {
	m := s.Open(t)
	v := []sluice.Volume{{Claim: "c", Generation: "g"}}
	if _, err := m.Copy(t.Context(), "d-1", v, nil); sluice.ErrorCode(err) != sluice.Unsupported {
		t.Errorf("copy: %v", err)
	}
}

// keepsNames: file names are bytes, not always text. They come back as they were, or nothing is copied.
func keepsNames(t *testing.T, s Subject) {
	a, x := t.TempDir(), t.TempDir()
	write(t, filepath.Join(a, "not \xff text"), []byte("content"), 0o600)
	m := s.Open(t)
	c, err := m.Copy(t.Context(), "d-1", volumes(a), nil)
	if sluice.ErrorCode(err) == sluice.Unsupported {
		return
	}
	must(t, err)
	must(t, m.Restore(t.Context(), c, volumes(x), nil))
	same(t, a, x)
}

func reports(t *testing.T, s Subject) {
	a := t.TempDir()
	plant(t, a)
	m := s.Open(t)
	var last atomic.Pointer[sluice.Amount]
	report := func(p sluice.Amount) { last.Store(&p) }
	c, err := m.Copy(t.Context(), "d-1", volumes(a), report)
	if err != nil {
		t.Fatal(err)
	}
	want := sluice.Amount{Unit: "bytes", Done: contentBytes, Total: contentBytes}
	check := func(what string) {
		if diff := cmp.Diff(&want, last.Swap(nil)); diff != "" {
			t.Errorf("the last report of %s: %s", what, diff)
		}
	}
	check("copy")
	if err := m.Restore(t.Context(), c, volumes(t.TempDir()), report); err != nil {
		t.Fatal(err)
	}
	check("restore")
}
