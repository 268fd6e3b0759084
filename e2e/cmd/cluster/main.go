// Command cluster starts and stops the Kubernetes clusters of the tests, see
// package cluster.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"text/tabwriter"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/csi"
	"github.com/sluice-cd/sluice/e2e/volume"
)

const usage = `usage: cluster COMMAND

  up               start cluster01 and cluster02, unless they are up
  kwok-up [NODES]  start the cluster of fake nodes (default 10), unless it is up
  status           show the programs of each cluster that is up
  kubeconfig       print the path of the kubeconfig file
  down             end every cluster and remove what it left
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command; %s", usage)
	}
	switch args[0] {
	case "up":
		pair, err := cluster.Up(ctx, cluster.Options{})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "export KUBECONFIG=%s\n", pair.Kubeconfig)
		return nil
	case "kwok-up":
		return upKWOK(ctx, out, args[1:])
	case "status":
		return status(ctx, out)
	case "kubeconfig":
		path, err := cluster.Kubeconfig(cluster.Options{})
		if err != nil {
			return err
		}
		fmt.Fprintln(out, path)
		return nil
	case "down":
		return cluster.Down(cluster.Options{})
	case "supervise": // up runs this as process 1 of a cluster
		return cluster.Supervise(args[1])
	case "volumes": // a cluster runs this to serve its claims
		return serveVolumes(ctx, args[1], args[2])
	case "csi": // a cluster runs this as its CSI driver
		return serveCSI(ctx, &cluster.Cluster{Name: args[1], Kubeconfig: args[2]},
			csi.Paths{Dir: args[3], Socket: args[4], Registration: args[5]}, cluster.CRDs{Path: args[6]})
	}
	return fmt.Errorf("no command %s; %s", args[0], usage)
}

func upKWOK(ctx context.Context, out io.Writer, args []string) error {
	nodes := 10
	if len(args) > 0 {
		var err error
		if nodes, err = strconv.Atoi(args[0]); err != nil {
			return fmt.Errorf("the number of nodes: %w", err)
		}
	}
	c, err := cluster.UpKWOK(ctx, cluster.Options{}, nodes)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "export KUBECONFIG=%s\n", c.Kubeconfig)
	return nil
}

func status(ctx context.Context, out io.Writer) error {
	clusters, err := cluster.Running(cluster.Options{})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CLUSTER\tPROGRAM\tRUNNING\tRESTARTS\tMEMORY")
	for _, c := range clusters {
		parts, err := c.Status(ctx)
		if err != nil {
			return err
		}
		for _, p := range parts {
			fmt.Fprintf(w, "%s\t%s\t%t\t%d\t%d MB\n", c.Name, p.Name, p.Running, p.Restarts, p.MemoryMB)
		}
	}
	return w.Flush()
}

func serveVolumes(ctx context.Context, kubeconfig, dir string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return volume.Run(ctx, client, dir)
}

func serveCSI(ctx context.Context, c *cluster.Cluster, paths csi.Paths, snapshots cluster.CRDs) error {
	if err := c.InstallCRDs(ctx, snapshots); err != nil {
		return err
	}
	config, err := c.Config()
	if err != nil {
		return err
	}
	if err := csi.Announce(ctx, config); err != nil {
		return err
	}
	return csi.Run(ctx, c.Name, paths)
}
