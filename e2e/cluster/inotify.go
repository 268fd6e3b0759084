package cluster

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	inotifyLimit = "/proc/sys/fs/inotify/max_user_instances"
	// A pair opens about 40 instances. Linux allows a user 128 by default, and a program that gets none waits for ever.
	wantedInstances = 1024
)

// ensureInotify raises the machine's limit of inotify instances until it restarts.
func (o Options) ensureInotify() error {
	text, err := os.ReadFile(inotifyLimit)
	if err != nil {
		return err
	}
	now, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || now >= wantedInstances {
		return err
	}
	fmt.Fprintf(o.Log, "raising %s from %d to %d\n", inotifyLimit, now, wantedInstances)
	return os.WriteFile(inotifyLimit, []byte(strconv.Itoa(wantedInstances)), 0o644)
}
