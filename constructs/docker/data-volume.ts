import { Container } from '@cdktf/provider-docker/lib/container';
import { Volume } from '@cdktf/provider-docker/lib/volume';
import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { ownerOf } from '../../config/node';
import { SERVICE_UID } from '../../config/docker/service-user';
import type { DeploymentBase } from '../deployment';
import { environmentLabels } from './labels';

export interface DataVolumeProps {
  readonly deployment: DeploymentBase;
  readonly name: string;
  /**
   * An image whose program needs the volume to belong to the service user, and does not see to that itself: ours have
   * the folder with the right owner, which a new volume takes over; published ones have not.
   *
   * @default - a new volume takes owner and mode from the folder in the image
   */
  readonly takeOverWith?: string;
  /** @default - made at once */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** A volume whose content cannot be made again: a plan that would delete it is refused, unless data may be lost. */
export class DataVolume extends Construct {
  readonly name: string;
  /** For the `dependsOn` of what writes into the volume. */
  readonly dependable: ITerraformDependable;

  constructor(scope: Construct, id: string, props: DataVolumeProps) {
    super(scope, id);
    this.name = props.name;
    const volume = new Volume(this, 'Resource', {
      name: props.name,
      labels: environmentLabels(props.deployment),
      lifecycle: { preventDestroy: !props.deployment.allowsDataLoss },
      ...(props.dependsOn === undefined || props.dependsOn.length === 0 ? {} : { dependsOn: [...props.dependsOn] }),
    });
    props.deployment.made(this, props.name, volume.name);
    this.dependable = props.takeOverWith === undefined ? volume : this.addOwner(props, volume, props.takeOverWith);
  }

  /** A container that gives the empty volume to the service user and ends. */
  private addOwner(props: DataVolumeProps, volume: Volume, image: string): Container {
    return new Container(this, 'Owner', {
      name: ownerOf(props.name),
      image,
      entrypoint: ['chown'],
      command: [`${SERVICE_UID}:${SERVICE_UID}`, MOUNT],
      user: '0:0',
      networkMode: 'none',
      readOnly: true,
      capabilities: { drop: ['ALL'], add: ['CAP_CHOWN'] },
      securityOpts: ['no-new-privileges'],
      labels: environmentLabels(props.deployment),
      volumes: [{ volumeName: volume.name, containerPath: MOUNT }],
      // runs once, to its end, before anything else mounts the volume
      attach: true,
      mustRun: false,
      restart: 'no',
    });
  }
}

const MOUNT = '/volume';
