package portworx

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A state is what one state of a Migration means.
type state struct {
	done    bool
	failure string // why it failed
	message string // what it does
	mark    string // changes if and only if something moves
	amount  *sluice.Amount
}

// judge says what the state of the Migration means. A volume that failed fails it at once: Stork itself waits for the
// slowest volume first. The end alone, in the stage Final, says nothing: success needs every claim.
func judge(o sluice.Object, m sluice.Move) state {
	volumes, seen := o.List("status", "volumes"), manifest.Status(o)
	s := state{message: seen.Message, mark: mark(o), amount: amount(volumes)}
	switch {
	case o.Text("metadata", "deletionTimestamp") != "":
		s.failure = "somebody deleted it"
	case s.broken(volumes):
	case o.Text("status", "stage") != "Final" || o.Text("status", "status") == "":
	case seen.Phase == manifest.Failed:
		s.failure = seen.Message
	case o.Text("status", "status") != "Successful":
		s.failure = "it ended as " + o.Text("status", "status")
	default:
		s.failure = unexpected(volumes, m)
		s.done = s.failure == ""
	}
	return s
}

// broken reports whether a volume failed, and says why.
func (s *state) broken(volumes []sluice.Object) bool {
	for _, v := range volumes {
		if status := v.Text("status"); status == "Failed" || status == "PartialSuccess" {
			s.failure = fmt.Sprintf("%s is %s (%s)", v.Text("persistentVolumeClaim"), status,
				cmp.Or(v.Text("reason"), "no reason given"))
			return true
		}
	}
	return false
}

// unexpected says which claims were not moved, or were although nobody asked for it.
func unexpected(volumes []sluice.Object, m sluice.Move) string {
	var faults []string
	left := slices.Clone(m.Claims)
	for _, v := range volumes {
		name, namespace := v.Text("persistentVolumeClaim"), v.Text("namespace")
		at := slices.Index(left, name)
		switch {
		case at < 0 || namespace != m.From.Namespace:
			faults = append(faults, fmt.Sprintf("%s/%s was moved as well", namespace, name))
			continue
		case v.Text("status") != "Successful":
			faults = append(faults, fmt.Sprintf("%s is %s", name, cmp.Or(v.Text("status"), "without a status")))
		}
		left = slices.Delete(left, at, at+1)
	}
	for _, name := range left {
		faults = append(faults, name+" was not moved")
	}
	if len(faults) == 0 {
		return ""
	}
	return "it ended as Successful, but " + strings.Join(faults, ", ")
}

var (
	bytes = regexp.MustCompile(`BytesDone: (\d+) BytesTotal: (\d+)`)
	eta   = regexp.MustCompile(`ETA: .*`)
)

// amount adds up the bytes, which Portworx tells in its texts only. It returns nil if no volume has any.
func amount(volumes []sluice.Object) *sluice.Amount {
	a := sluice.Amount{Unit: "bytes"}
	for _, v := range volumes {
		if found := bytes.FindStringSubmatch(v.Text("reason")); found != nil {
			a.Done += number(found[1])
			a.Total += number(found[2])
			continue
		}
		if v.Text("status") == "Successful" {
			n := int64(v.Number(0, "bytesTotal"))
			a.Done, a.Total = a.Done+n, a.Total+n
		}
	}
	if a.Total == 0 {
		return nil
	}
	return &a
}

func number(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0 // more digits than a volume has bytes
	}
	return n
}

// mark leaves out times, which change although nothing moves.
func mark(o sluice.Object) string {
	all := []string{o.Text("status", "stage"), o.Text("status", "status")}
	for _, v := range o.List("status", "volumes") {
		all = append(all, v.Text("persistentVolumeClaim"), v.Text("status"), fmt.Sprint(v.Field("bytesTotal")),
			eta.ReplaceAllString(v.Text("reason"), ""))
	}
	return strings.Join(all, "\n")
}

// moved names the volumes that Portworx has brought to the destination already.
func moved(o sluice.Object) []string {
	var names []string
	for _, v := range o.List("status", "volumes") {
		if v.Text("status") == "Successful" {
			names = append(names, v.Text("volume"))
		}
	}
	return names
}
