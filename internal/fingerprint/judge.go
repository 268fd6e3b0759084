package fingerprint

import (
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

// The modes of a verification.
const (
	Equal = "equal" // nothing may be missing, added or changed, nor an index
	Loss  = "loss"  // no document may be missing; users may have added or changed documents since
)

// A Case is the input of a verification. Comparison was made with the same Ignored.
type Case struct {
	Dataset    string
	Mode       string
	Was, Now   sluice.Fingerprint
	Ignored    Ignored
	Comparison sluice.Comparison
	Invariants []sluice.Invariant
}

// Judge says whether the dataset passes, and why. It does not act on the result.
func Judge(c Case) sluice.Verification {
	v := sluice.Verification{Dataset: c.Dataset, Comparison: without(c.Comparison, c.Ignored)}
	for _, collection := range c.Now.Collections {
		v.Documents += collection.Count
	}
	v.Invariants = JudgeInvariants(c.Invariants, c.Was.Invariants, c.Now.Invariants)
	faults := faultsOf(c.Mode, v.Comparison)
	for _, invariant := range v.Invariants {
		if !invariant.Passed {
			faults = append(faults, invariant.Reason)
		}
	}
	v.Passed = len(faults) == 0
	v.Reason = strings.Join(faults, "; ")
	if v.Passed {
		v.Reason = praise(c, v)
	}
	return v
}

func without(c sluice.Comparison, ignored Ignored) sluice.Comparison {
	var kept sluice.Comparison
	for _, collection := range c.Collections {
		if !ignored.Collection(collection.Name) {
			kept.Collections = append(kept.Collections, collection)
		}
	}
	return kept
}

func faultsOf(mode string, c sluice.Comparison) []string {
	var faults []string
	for _, d := range c.Collections {
		parts := lossOf(d)
		if mode != Loss {
			parts = append(parts, changeOf(d)...)
		}
		if len(parts) > 0 {
			faults = append(faults, d.Name+": "+strings.Join(parts, ", "))
		}
	}
	return faults
}

func lossOf(d sluice.CollectionComparison) []string {
	if d.Missing == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s missing%s", documentCount(d.Missing), example(d.MissingKeys, d.Missing))}
}

func changeOf(d sluice.CollectionComparison) []string {
	var parts []string
	if d.Changed > 0 {
		keys := make([]string, 0, len(d.ChangedKeys))
		for _, k := range d.ChangedKeys {
			keys = append(keys, k.Key)
		}
		parts = append(parts, fmt.Sprintf("%s changed%s", documentCount(d.Changed), example(keys, d.Changed)))
	}
	if d.Added > 0 {
		parts = append(parts, fmt.Sprintf("%s added%s", documentCount(d.Added), example(d.AddedKeys, d.Added)))
	}
	for _, index := range []struct {
		names []string
		verb  string
	}{{d.MissingIndexes, "missing"}, {d.AddedIndexes, "added"}, {d.ChangedIndexes, "changed"}} {
		if len(index.names) > 0 {
			parts = append(parts, fmt.Sprintf("index %s %s", strings.Join(index.names, ", "), index.verb))
		}
	}
	return parts
}

// example names the first few keys, so that the reason alone helps to find the fault.
func example(keys []string, total int64) string {
	const shown = 3
	if len(keys) == 0 {
		return ""
	}
	if total <= shown && int64(len(keys)) == total {
		return " (" + strings.Join(keys, ", ") + ")"
	}
	return " (" + strings.Join(keys[:min(shown, len(keys))], ", ") + ", ...)"
}

func documentCount(n int64) string {
	if n == 1 {
		return "1 document"
	}
	return fmt.Sprintf("%d documents", n)
}

func praise(c Case, v sluice.Verification) string {
	said := fmt.Sprintf("%s in %d collections are as they were", documentCount(v.Documents), len(c.Now.Collections))
	if c.Mode == Loss {
		said = fmt.Sprintf("no document is missing of %s", documentCount(total(c.Was)))
	}
	if len(v.Invariants) == 1 {
		said += "; the invariant holds"
	}
	if len(v.Invariants) > 1 {
		said += fmt.Sprintf("; all %d invariants hold", len(v.Invariants))
	}
	return said + Unread(c.Now)
}

// Unread names the databases on the same server that the fingerprint says nothing about, "" if there are none.
func Unread(f sluice.Fingerprint) string {
	if len(f.Others) == 0 {
		return ""
	}
	return "; not read, although on the same server: " + strings.Join(f.Others, ", ")
}

func total(f sluice.Fingerprint) int64 {
	var n int64
	for _, collection := range f.Collections {
		n += collection.Count
	}
	return n
}
