// Package admission lets pods run images that are loaded into the nodes
// instead of kept in a registry: it is a webhook of the API server that turns
// imagePullPolicy Always, also where a tag implies it, into IfNotPresent.
//
// It imports the standard library only.
package admission

import (
	"encoding/json"
	"fmt"
	"net/http"
)

type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type request struct {
	UID    string `json:"uid"`
	Object struct {
		Spec struct {
			InitContainers []container `json:"initContainers"`
			Containers     []container `json:"containers"`
		} `json:"spec"`
	} `json:"object"`
}

type container struct {
	ImagePullPolicy string `json:"imagePullPolicy"`
}

type response struct {
	UID       string `json:"uid"`
	Allowed   bool   `json:"allowed"`
	PatchType string `json:"patchType,omitempty"`
	Patch     []byte `json:"patch,omitempty"`
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value"`
}

// New answers reviews of pods.
func New() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked review
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<20)).Decode(&asked); err != nil || asked.Request == nil {
			http.Error(w, "a review is wanted", http.StatusBadRequest)
			return
		}
		answer, err := allow(asked.Request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// A client that has gone does not matter.
		_ = json.NewEncoder(w).Encode(review{APIVersion: asked.APIVersion, Kind: asked.Kind, Response: answer})
	})
}

func allow(r *request) (*response, error) {
	var changes []operation
	for list, containers := range map[string][]container{"initContainers": r.Object.Spec.InitContainers,
		"containers": r.Object.Spec.Containers} {
		for i, c := range containers {
			if c.ImagePullPolicy == "Always" {
				changes = append(changes, operation{"replace", fmt.Sprintf("/spec/%s/%d/imagePullPolicy", list, i), "IfNotPresent"})
			}
		}
	}
	answer := &response{UID: r.UID, Allowed: true}
	if len(changes) == 0 {
		return answer, nil
	}
	patch, err := json.Marshal(changes)
	answer.PatchType, answer.Patch = "JSONPatch", patch
	return answer, err
}
