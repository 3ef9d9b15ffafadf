import { Network } from '@cdktf/provider-docker/lib/network';
import type { Construct } from 'constructs';
import { MTU_OPTION, type NetworkSettings } from '../../config/docker/networks';
import type { DeploymentBase } from '../deployment';
import { environmentLabels } from './labels';

export interface NetworkProps extends NetworkSettings {
  readonly deployment: DeploymentBase;
}

/** Declares a bridge network of its own. Docker lets no other network reach it. */
export function declareNetwork(scope: Construct, id: string, props: NetworkProps): Network {
  const network = new Network(scope, id, {
    name: props.name,
    labels: environmentLabels(props.deployment),
    ...(props.subnet === undefined ? {} : { ipamConfig: [{ subnet: props.subnet }] }),
    ...(props.mtu === undefined ? {} : { options: { [MTU_OPTION]: String(props.mtu) } }),
  });
  props.deployment.made(network, props.name, network.name);
  return network;
}
