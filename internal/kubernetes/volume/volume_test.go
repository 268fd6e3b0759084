package volume

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-cd/sluice"
)

func TestStagingName(t *testing.T) {
	long := strings.Repeat("a", 39) + "." + strings.Repeat("b", 200)
	seen := map[string]bool{}
	for _, claim := range []string{"data", "data-mongo-0", long, long + "c"} {
		for _, generation := range []string{"data-1", "data-2", strings.Repeat("g", 300)} {
			s := subject{Ref: claimRef("shop", claim)}
			name := s.staging(generation).Name
			if faults := validation.IsDNS1123Subdomain(name); faults != nil {
				t.Errorf("%s: %v", name, faults)
			}
			if faults := validation.IsValidLabelValue(name); faults != nil {
				t.Errorf("%s: %v", name, faults)
			}
			if seen[name] {
				t.Errorf("%s is of two generations", name)
			}
			seen[name] = true
		}
	}
}

func TestSize(t *testing.T) {
	for _, tt := range [][3]string{
		{"1Gi", "", "1Gi"}, {"1Gi", "2Gi", "2Gi"}, {"3Gi", "2Gi", "3Gi"}, {"1000Mi", "1G", "1000Mi"},
	} {
		claim, now := sluice.Object{}, sluice.Object{}
		claim.Set(tt[0], "spec", "resources", "requests", "storage")
		now.Set(tt[1], "status", "capacity", "storage")
		if got, err := sizeOf(claim, now); err != nil || got.String() != tt[2] {
			t.Errorf("%s with %s is staged as %s, want %s: %v", tt[0], tt[1], got.String(), tt[2], err)
		}
	}
	bad := sluice.Object{}
	bad.Set("much", "spec", "resources", "requests", "storage")
	if _, err := sizeOf(bad, nil); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("a size in words: %v", err)
	}
}

func TestStateOf(t *testing.T) {
	class := func(name, driver, isDefault string) sluice.Object {
		o := sluice.Object{"driver": driver}
		o.Set(name, "metadata", "name")
		o.Set(isDefault, "metadata", "annotations", "snapshot.storage.kubernetes.io/is-default-class")
		return o
	}
	csi := sluice.Object{}
	csi.Set("ebs", "spec", "csi", "driver")
	plain := sluice.Object{"spec": map[string]any{"hostPath": map[string]any{}}}
	others := []sluice.Object{class("a", "nfs", "true")}
	own := append(others, class("b", "ebs", ""), class("c", "ebs", "true"))
	for name, tt := range map[string]struct {
		volume  sluice.Object
		classes []sluice.Object
		way     string
		reason  string
	}{
		"not bound":      {nil, own, sluice.CutIdle, "not bound"},
		"no CSI driver":  {plain, own, sluice.CutIdle, "CSI"},
		"no class":       {csi, others, sluice.CutIdle, "the driver ebs has no VolumeSnapshotClass"},
		"no snapshots":   {csi, nil, sluice.CutIdle, "the driver ebs has no VolumeSnapshotClass"},
		"a class for it": {csi, own, sluice.CutSnapshot, ""},
	} {
		s, err := stateOf(sluice.Object{}, tt.volume, tt.classes)
		if err != nil || s.Way != tt.way || !strings.Contains(s.Reason, tt.reason) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if got := snapshotClass(own, "ebs"); got != "c" {
		t.Errorf("the class is %s, not the default one", got)
	}
}

// A volume keeps what its policy was first, however often it is retained.
func TestRetained(t *testing.T) {
	s := subject{Ref: claimRef("shop", "data")}
	pv := sluice.Object{}
	pv.Set("Delete", "metadata", "annotations", policyNote)
	pv.Set(retain, "spec", "persistentVolumeReclaimPolicy")
	if got := note(s.retained(pv, policy(pv)), policyNote); got != "Delete" {
		t.Errorf("it will be %s", got)
	}
}
