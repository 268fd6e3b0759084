package manifest_test

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-cd/sluice/internal/manifest"
)

func TestStatusOfMigration(t *testing.T) {
	const (
		moved = "volumes: [{persistentVolumeClaim: a, status: Successful}]"
		lost  = "volumes: [{persistentVolumeClaim: a, status: Successful}, {persistentVolumeClaim: b, status: Failed, " +
			"reason: no space}]"
		many = "resources: [{kind: A, name: a, status: Failed}, {kind: B, name: b, status: Failed}, {kind: C, name: c, " +
			"status: Failed}, {kind: D, name: d, status: Failed}, {kind: E, name: e, status: PartialSuccess}]"
	)
	for name, test := range map[string]struct {
		status  string
		phase   manifest.Phase
		message string
	}{
		"no status":          {"{}", manifest.InProgress, "Stork has not started it"},
		"stuck before stage": {"{stage: '', status: ''}", manifest.InProgress, "Stork has not started it"},
		"waits for its pair": {"{stage: Volumes, status: Pending}", manifest.InProgress, "it is in stage Volumes, Pending"},
		"moves": {"{stage: Volumes, status: InProgress, volumes: [{persistentVolumeClaim: a, status: " +
			"Successful}, {persistentVolumeClaim: b, status: InProgress, reason: 'BytesDone: 7'}]}", manifest.InProgress,
			"it is in stage Volumes, InProgress, 1 of 2 volumes moved"},
		"will fail": {"{stage: Volumes, status: InProgress, " + lost + "}", manifest.InProgress,
			"it is in stage Volumes, InProgress, 1 of 2 volumes moved: b is Failed (no space)"},
		"without status": {"{stage: Applications, status: ''}", manifest.InProgress,
			"it is in stage Applications, without a status"},
		"successful": {"{stage: Final, status: Successful, " + moved + "}", manifest.Ready, ""},
		"only objects": {"{stage: Final, status: Successful, resources: [{kind: Service, name: a, status: Successful}]}",
			manifest.Ready, ""},
		"successful too soon": {"{stage: Applications, status: Successful, " + moved + "}", manifest.InProgress,
			"it is in stage Applications, Successful, 1 of 1 volumes moved"},
		"failed": {"{stage: Final, status: Failed, " + lost + "}", manifest.Failed,
			"it ended as Failed: b is Failed (no space)"},
		"failed silently": {"{stage: Final, status: Failed}", manifest.Failed, "it ended as Failed"},
		"partly": {"{stage: Final, status: PartialSuccess, resources: [{kind: PersistentVolumeClaim, name: a, " +
			"status: Failed, reason: in use}]}", manifest.Failed, "it ended as PartialSuccess: PersistentVolumeClaim/a is " +
			"Failed (in use)"},
		"failed in many": {"{stage: Final, status: Failed, " + many + "}", manifest.Failed,
			"it ended as Failed: A/a is Failed (no reason given), B/b is Failed (no reason given), C/c is Failed (no reason " +
				"given) and 2 more"},
		"contradicts itself": {"{stage: Final, status: Successful, " + lost + "}", manifest.Failed,
			"it ended as Successful but left something out: b is Failed (no space)"},
		"moved nothing": {"{stage: Final, status: Successful, volumes: null, resources: []}", manifest.Failed,
			"it ended as Successful but moved nothing: no volume or object matches its namespaces and selectors"},
		"over, unsaid": {"{stage: Final, status: InProgress}", manifest.InProgress,
			"it is over but does not say how it ended"},
	} {
		text := "{apiVersion: stork.libopenstorage.org/v1alpha1, kind: Migration, metadata: {name: a, generation: 7}, " +
			"status: " + test.status + "}"
		if got := manifest.Status(parse(t, text)[0]); got.Phase != test.phase || got.Message != test.message {
			t.Errorf("%s: got %+v, want %s %q", name, got, test.phase, test.message)
		}
	}
}

// TestStatusOfRealMigrations judges two that a Stork of its own has written.
func TestStatusOfRealMigrations(t *testing.T) {
	dir := filepath.Join(cmp.Or(os.Getenv("SLUICE_SHARED"), "../../../shared"), "corpus/seed-demo/test")
	for file, want := range map[string]manifest.State{
		"migrationSuccessful.yaml": {Phase: manifest.Ready},
		"migrationProgress.yaml": {Phase: manifest.InProgress,
			Message: "it is in stage Volumes, InProgress, 0 of 1 volumes moved"},
	} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Skip("the corpus is not here")
		}
		if got := manifest.Status(parse(t, string(data))[0]); got != want {
			t.Errorf("%s: got %+v, want %+v", file, got, want)
		}
	}
}
