package storage_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/csi"
	"github.com/sluice-cd/sluice/e2e/volume"
)

func TestPodsWriteToClaimsOfEachClass(t *testing.T) {
	onBoth(t, func(f fixture) {
		for _, class := range []string{volume.Class, csi.Class, csi.WaitClass} {
			f.claim(class, class, "20Mi", nil)
			if class != csi.WaitClass {
				f.awaitBound(class)
			}
			f.run(class, "write", "/data/name", class)
			if got := f.run(class, "print", "/data/name"); got != class {
				f.Errorf("the claim of class %s contains %q", class, got)
			}
		}
	})
}

func TestClonesOfSnapshotsAndClaimsAreIndependent(t *testing.T) {
	onBoth(t, func(f fixture) {
		f.claim("source", csi.Class, "20Mi", nil)
		f.run("source", "write", "/data/text", "before")
		cut := f.snapshot("cut", csi.SnapshotClass, "source")
		f.awaitSnapshot("cut", "readyToUse")
		f.run("source", "write", "/data/text", "after")
		f.claim("larger", csi.WaitClass, "40Mi", cut)
		f.claim("copy", csi.Class, "20Mi", &corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "source"})
		f.run("larger", "fill", "/data/other")
		for claim, want := range map[string]string{"source": "after", "larger": "before", "copy": "after"} {
			if got := f.run(claim, "print", "/data/text"); got != want {
				f.Errorf("claim %s contains %q, want %q", claim, got, want)
			}
		}
	})
}

func TestFullVolumeHasNoSpaceLeft(t *testing.T) {
	onBoth(t, func(f fixture) {
		f.claim("small", csi.Class, "20Mi", nil)
		f.run("small", "fill", "/data/all")
	})
}

func TestSnapshotsEndAsTheirClassSays(t *testing.T) {
	onBoth(t, func(f fixture) {
		config, err := f.cluster.Config()
		f.check(err)
		for _, outcome := range []string{csi.OutcomeFail, csi.OutcomePending} {
			class := f.namespace + "-" + outcome
			f.check(csi.CreateSnapshotClass(f.Context(), config, class, map[string]string{csi.Outcome: outcome}))
			defer f.objects.Resource(csi.SnapshotClasses).Delete(f.Context(), class, metav1.DeleteOptions{})
		}
		f.claim("source", csi.Class, "20Mi", nil)
		f.awaitBound("source")
		f.snapshot("fails", f.namespace+"-"+csi.OutcomeFail, "source")
		f.awaitSnapshot("fails", "error", "message")
		f.snapshot("waits", f.namespace+"-"+csi.OutcomePending, "source")
		if status := f.awaitSnapshot("waits", "creationTime"); status["readyToUse"] != false {
			f.Errorf("the status of a snapshot that never becomes ready is %v", status)
		}
	})
}

func TestNothingIsLeftOfWhatIsDeleted(t *testing.T) {
	onBoth(t, func(f fixture) {
		f.claim("source", csi.Class, "20Mi", nil)
		f.run("source", "write", "/data/text", "before")
		f.snapshot("cut", csi.SnapshotClass, "source")
		content := f.awaitSnapshot("cut", "readyToUse")["boundVolumeSnapshotContentName"].(string)
		f.awaitCreated(content)
		claims := f.client.CoreV1().PersistentVolumeClaims(f.namespace)
		claim, err := claims.Get(f.Context(), "source", metav1.GetOptions{})
		f.check(err)
		f.check(f.objects.Resource(snapshots).Namespace(f.namespace).Delete(f.Context(), "cut", metav1.DeleteOptions{}))
		f.check(claims.Delete(f.Context(), "source", metav1.DeleteOptions{}))
		f.awaitGone(contents, "", content)
		f.awaitGone(corev1.SchemeGroupVersion.WithResource("persistentvolumes"), "", claim.Spec.VolumeName)
	})
}
