// Package world provides what the tests of rollouts need: a namespace in a real
// cluster, a directory with a deploy file, the program sluice as a separate
// process, users who send requests, and Prometheus.
//
//	func TestMain(m *testing.M) { os.Exit(world.Main(m)) }
//
//	w := world.New(t)                       // a namespace, a directory with sluice.yaml
//	w.Write("deploy.yaml", text)            // {{.Namespace}}, {{.Image}} are replaced
//	w.Run()                                 // sluice run -f deploy.yaml, must succeed
//	w.Put(hpa)                              // objects that somebody else made
//	before := w.Snapshot()
//	load := w.Load("web", 8080, "/version") // users of Service/web
//	p := w.Start("run", "-f", "deploy.yaml")
//	p.Await(world.Step("stepDone", "production/canary/1"))
//	p.Kill()                                // kill -9
//	r := w.Start("run", "--resume").Wait()
//	load.Stop()                             // its counts; load.Perfect() fails the test if a request failed
//	w.Unchanged(before)                     // every object except Kubernetes' own records
//
// Monitor starts Prometheus, which can be stopped and started again. Lowest and
// Follow watch pods and other objects all the time.
//
// Everything that New creates is removed with the test. When a test ends, no object
// may name a deployment of its state directory, except permanent objects in its own
// namespace.
//
// The image is the program in e2e/cmd/web; Main loads other images too.
//
// It may import packages cluster and image, client-go, and two packages of the
// product, the root and internal/manifest. Start with world.go.
package world
