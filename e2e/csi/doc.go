// Package csi is a CSI driver for the test clusters, with snapshots and clones
// that take no time. A volume is a file with a file system of its own, so that
// its size is a real limit. All files lie on one XFS, which is a file too, where
// copies share blocks. A snapshot is such a copy, made while the volume's file
// system is frozen, so that it shows one moment.
//
// It imports gRPC and the interfaces of CSI and of kubelet, and runs the programs mount, umount, mkfs.xfs, mkfs.ext4,
// e2fsck and resize2fs. Start with Run in driver.go; cluster runs it as the part "csi".
package csi
