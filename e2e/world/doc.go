// Package world is where the tests of rollouts happen: a namespace in a real
// cluster, a directory with a deploy file, the program sluice as a process of
// its own, users who send requests, and Prometheus.
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
//	w.Unchanged(before)                     // every object but Kubernetes' own books
//
// Monitor starts Prometheus, which can be stopped and started again; Lowest and
// Follow watch pods and other objects all the while.
//
// Everything that New makes goes away with the test. When a test ends, nothing
// that names a deployment of its state directory may be left outside its own
// namespace, nor in it but on objects that stand for good.
//
// The image is the program in e2e/cmd/web; Main loads other images too.
//
// It may import packages cluster and image, client-go, and of the product the
// root package and internal/manifest. Start with world.go.
package world
