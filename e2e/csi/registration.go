package csi

import (
	"context"
	"fmt"
	"os"

	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// A plugin answers kubelet, which asks each socket in its directory of plugins what it serves.
type plugin struct {
	registration.UnimplementedRegistrationServer

	socket string
}

func (p plugin) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{Type: registration.CSIPlugin, Name: Name, Endpoint: p.socket,
		SupportedVersions: []string{"1.0.0"}}, nil
}

func (p plugin) NotifyRegistrationStatus(_ context.Context,
	s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !s.PluginRegistered {
		fmt.Fprintln(os.Stderr, "kubelet refuses the driver:", s.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}
