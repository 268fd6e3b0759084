package kubernetes

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"

	"github.com/sluice-cd/sluice"
)

// adopt makes fields that kubectl apply owns Sluice's, so that those which the object no longer declares go away,
// as they would with kubectl. It happens once, before Sluice applies the object for the first time: somebody who
// goes on to use kubectl apply beside Sluice is told of the conflict. It returns whose fields may be taken.
func (w *application) adopt(ctx context.Context, live sluice.Object) (replaced string, err error) {
	if isApplied(live) || !isAppliedByKubectl(live) {
		return "", nil
	}
	if w.dryRun {
		return kubectlApply, nil
	}
	u := &unstructured.Unstructured{Object: live.Clone()}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(u, sets.New(kubectlApply), manager)
	if err != nil || patch == nil {
		return kubectlApply, err
	}
	_, err = w.account.client(w.resource, w.ref.Namespace).Patch(ctx, w.ref.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: manager + "-adopt"})
	return kubectlApply, err
}

func isAppliedByKubectl(o sluice.Object) bool {
	for _, e := range managedFields(o) {
		if e.Text("manager") == kubectlApply && e.Text("operation") == "Update" {
			return true
		}
	}
	return false
}
