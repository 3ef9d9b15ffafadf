import { Network } from '@cdktf/provider-docker/lib/network';
import type { Construct } from 'constructs';
import { MTU_OPTION } from '../../config/docker/networks';
import { environmentLabels } from './labels';

export interface NetworkProps {
  readonly name: string;
  readonly environment: string;
  /** IPv4 range. @default - Docker chooses one of its pools */
  readonly subnet?: string;
  /** Largest packet, in bytes. @default - that of the engine, 1500 unless it was configured */
  readonly mtu?: number;
}

/** Declares a bridge network of its own. Docker lets no other network reach it. */
export function declareNetwork(scope: Construct, id: string, props: NetworkProps): Network {
  return new Network(scope, id, {
    name: props.name,
    labels: environmentLabels(props.environment),
    ...(props.subnet === undefined ? {} : { ipamConfig: [{ subnet: props.subnet }] }),
    ...(props.mtu === undefined ? {} : { options: { [MTU_OPTION]: String(props.mtu) } }),
  });
}
