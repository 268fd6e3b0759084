package rehearsal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
)

// templateAnnotation holds, on the pods of a changed workload, the digest of their original template. So a change of a
// field that was left out is still a new version.
const templateAnnotation = "sluice-cd.github.io/rehearsed-template"

// object returns the part of an object that the local account supports. all are the objects of the same target.
func (r *rehearser) object(s *sluice.PlannedStep, o sluice.Object, all []sluice.Object) (sluice.Object, error) {
	ref := o.Ref()
	if !kind.Runs(ref.APIVersion, ref.Kind) {
		r.instead(ref.Kind+"/"+ref.Name, "kept as it is and counted as ready", s.ID)
		return o, nil
	}
	reduced, left, err := kind.Reduce(o)
	if err != nil {
		return nil, err
	}
	if r.standsInWholly(s, o) {
		left = slices.DeleteFunc(left, func(path string) bool { return strings.Contains(path, ".containers[") })
	}
	r.leftOut(s, ref, left)
	if ref.Kind == "Service" {
		return r.ports(s, reduced), nil
	}
	if podSpec(o) == nil {
		return reduced, nil
	}
	return reduced, r.workload(s, o, reduced, all)
}

// standsInWholly reports whether all of the workload's containers are stand-ins.
func (r *rehearser) standsInWholly(s *sluice.PlannedStep, o sluice.Object) bool {
	t, _ := r.plan.Target(s.Target)
	images := r.options.Images(t.Account)
	all := containers(o)
	return len(all) > 0 && !slices.ContainsFunc(all, func(c sluice.Object) bool { return images[c.Text("image")] != "" })
}

// index matches a place in a list: the same field of several elements is named once.
var index = regexp.MustCompile(`\[\d+\]`)

func (r *rehearser) leftOut(s *sluice.PlannedStep, ref sluice.Ref, left []string) {
	var fields []string
	for _, path := range left {
		path = strings.TrimPrefix(index.ReplaceAllString(path, "[]"), "spec.template.")
		if strings.HasPrefix(path, "status") || strings.HasPrefix(path, "metadata.") || slices.Contains(fields, path) {
			continue // written by clusters; nothing depends on it
		}
		fields = append(fields, path)
	}
	if len(fields) > 0 {
		r.instead(ref.String(), "without "+strings.Join(fields, ", "), s.ID)
	}
}

// workload replaces the images without a program by stand-ins.
func (r *rehearser) workload(s *sluice.PlannedStep, was, now sluice.Object, all []sluice.Object) error {
	t, _ := r.plan.Target(s.Target)
	images := r.options.Images(t.Account)
	changed := r.initial(s, now, images)
	stood := 0
	for i, c := range containers(now) {
		image := c.Text("image")
		if command := images[image]; command != "" {
			r.real("image "+image+" runs as "+command, s.ID)
			dropEmptyProbes(c)
			continue
		}
		ports := r.portsOf(s, c, was, i)
		if i == 0 {
			ports = union(ports, targetPorts(now, all))
		}
		fails := r.fails(s, now)
		if err := standIn(c, was, i, r.standInPorts(s, ports), fails); err != nil {
			return err
		}
		r.instead("image "+image, describeStandIn(now, ports, fails), s.ID)
		r.out.Images[t.Account] = union(r.out.Images[t.Account], []string{c.Text("image")})
		stood++
	}
	if stood > 0 && r.fails(s, now) {
		now.Set(int64(0), "spec", "backoffLimit")
	}
	if stood > 0 && stood == len(containers(now)) {
		easeVolumes(now)
	}
	if stood > 0 || changed {
		now.Set(digest(was.Field("spec", "template")), "spec", "template", "metadata", "annotations", templateAnnotation)
	}
	return nil
}

// initial leaves out the init containers whose image has no program, and reports whether there are any.
func (r *rehearser) initial(s *sluice.PlannedStep, now sluice.Object, images map[string]string) (changed bool) {
	all := podSpec(now).List("initContainers")
	var kept []any
	for _, c := range all {
		image := c.Text("image")
		if images[image] == "" {
			r.instead("image "+image, "left out: it is of the init container "+c.Text("name"), s.ID)
			continue
		}
		r.real("image "+image+" runs as "+images[image], s.ID)
		dropEmptyProbes(c)
		kept = append(kept, map[string]any(c))
	}
	delete(podSpec(now), "initContainers")
	if len(kept) > 0 {
		podSpec(now)["initContainers"] = kept
	}
	return len(kept) < len(all)
}

// fails reports whether the options want the Job to fail.
func (r *rehearser) fails(s *sluice.PlannedStep, o sluice.Object) bool {
	if o.Text("kind") != "Job" {
		return false
	}
	name := o.Text("metadata", "name")
	if s.RunJob != nil {
		name = s.RunJob.Name
	}
	return r.options.Jobs[name] == sluice.RehearseFail
}

func describeStandIn(o sluice.Object, ports []int, fails bool) string {
	switch {
	case o.Text("kind") == "Job" && fails:
		return "a stand-in that fails, as asked"
	case o.Text("kind") == "Job":
		return "a stand-in that says what would have run, and succeeds"
	case len(ports) == 0:
		return "a stand-in"
	}
	return "a stand-in that answers on " + strings.Trim(strings.ReplaceAll(fmt.Sprint(ports), " ", ", "), "[]")
}

func podSpec(o sluice.Object) sluice.Object {
	spec, _ := o.Field("spec", "template", "spec").(map[string]any)
	return spec
}

// containers returns the workload's containers, to be changed in place.
func containers(o sluice.Object) []sluice.Object { return podSpec(o).List("containers") }

// claimsOf returns the claims that the workload's pods mount, without those made from templates.
func claimsOf(o sluice.Object) []string {
	var claims []string
	for _, v := range podSpec(o).List("volumes") {
		if claim := v.Text("persistentVolumeClaim", "claimName"); claim != "" {
			claims = append(claims, claim)
		}
	}
	return claims
}

func digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("an object of a plan can always be encoded: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:5])
}

// union appends the elements of more that list does not have yet.
func union[T comparable](list, more []T) []T {
	for _, v := range more {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}
