package local_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local"
)

func look(dir string, images ...string) *local.Account {
	c := local.Config{Dir: dir, Name: "looked at", Look: true, Images: map[string]local.Image{}}
	for _, image := range images {
		c.Images[image] = local.Image{Command: []string{"sleep", "1000"}}
	}
	return local.Open(c)
}

// An account that never ran takes and refuses objects as it would when it runs. Nothing is left behind.
func TestALookAtAnAccountThatNeverRan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "never")
	a := look(dir, "web:1")
	web := objects(t, webDeployment("web", "1", "1", ""))[0]
	if _, outcome, err := a.Apply(t.Context(), web, true); outcome != sluice.Created || err != nil {
		t.Errorf("a right object: %s, %v", outcome, err)
	}
	if _, outcome, err := a.Apply(t.Context(), objects(t, webService)[0], true); outcome != sluice.Created || err != nil {
		t.Errorf("a Service: %s, %v", outcome, err)
	}
	_, _, err := look(dir).Apply(t.Context(), web, true)
	if e, ok := err.(*sluice.Error); !ok || e.Code != sluice.Unsupported ||
		e.Field != "spec.template.spec.containers[0].image" {
		t.Errorf("an image without a program: %v", err)
	}
	if _, err := a.Get(t.Context(), web.Ref()); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("after a dry run: %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory: %v", err)
	}
}

// Whatever would change something is refused, and starts no agent.
func TestALookChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "never")
	a := look(dir, "web:1")
	web := objects(t, webDeployment("web", "1", "1", ""))[0]
	_, _, apply := a.Apply(t.Context(), web, false)
	_, exec := a.Exec(t.Context(), "default", "web", []string{"true"})
	for name, err := range map[string]error{
		"apply": apply, "exec": exec, "delete": a.Delete(t.Context(), web.Ref()),
		"scale": a.Scale(t.Context(), web.Ref(), 2), "discard": a.Discard(t.Context(), "default", "c", "g"),
	} {
		if sluice.ErrorCode(err) != sluice.Unavailable || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory: %v", err)
	}
}

// An account that was taken down still has its objects.
func TestALookAtAnAccountAtRest(t *testing.T) {
	t.Parallel()
	a := open(t)
	web := objects(t, webDeployment("web", "1", "1", ""))[0]
	if _, _, err := a.Apply(a.ctx, web, false); err != nil {
		t.Fatal(err)
	}
	if err := a.Down(a.ctx); err != nil {
		t.Fatal(err)
	}
	looked := look(a.dir)
	if _, outcome, err := looked.Apply(a.ctx, web, true); outcome != sluice.Unchanged || err != nil {
		t.Errorf("the same object: %s, %v", outcome, err)
	}
	list, err := looked.List(a.ctx, "apps/v1", "Deployment", web.Ref().Namespace)
	if len(list) != 1 || err != nil {
		t.Errorf("%d Deployments, %v", len(list), err)
	}
	for o, err := range looked.Follow(a.ctx, web.Ref()) {
		if err != nil || o.Ref() != web.Ref() {
			t.Errorf("followed %s, %v", o.Ref(), err)
		}
		break
	}
}

// A running agent is not told of images, and one that is silent is waited for once.
func TestALookAtARunningAgent(t *testing.T) {
	t.Parallel()
	a := open(t)
	next := objects(t, strings.Replace(webDeployment("web", "1", "1", ""), "web:1", "web:9", 1))[0]
	if _, outcome, err := look(a.dir, "web:9").Apply(a.ctx, next, true); outcome != sluice.Created || err != nil {
		t.Errorf("with a new image: %s, %v", outcome, err)
	}
	if _, _, err := a.Apply(a.ctx, next, true); sluice.ErrorCode(err) != sluice.Unsupported {
		t.Errorf("the agent knows the image: %v", err)
	}
	a.stopAgent()
	silent := look(a.dir)
	_, first := silent.Get(a.ctx, next.Ref())
	ctx, cancel := context.WithTimeout(a.ctx, time.Second)
	defer cancel()
	_, second := silent.Get(ctx, next.Ref())
	for _, err := range []error{first, second} {
		if sluice.ErrorCode(err) != sluice.Unavailable || !strings.Contains(err.Error(), "has not answered for 5s") {
			t.Errorf("a silent agent: %v", err)
		}
	}
}
