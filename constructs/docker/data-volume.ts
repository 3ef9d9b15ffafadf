import { Volume } from '@cdktf/provider-docker/lib/volume';
import { Construct } from 'constructs';
import { environmentLabels } from './labels';

export interface DataVolumeProps {
  readonly name: string;
  readonly environment: string;
  /**
   * Let Terraform delete the volume with what is in it.
   *
   * @default false - a plan that would delete or replace it is refused
   */
  readonly allowDataLoss?: boolean;
}

/** A volume whose content cannot be made again. */
export class DataVolume extends Construct {
  readonly name: string;

  constructor(scope: Construct, id: string, props: DataVolumeProps) {
    super(scope, id);
    this.name = props.name;
    new Volume(this, 'Resource', {
      name: props.name,
      labels: environmentLabels(props.environment),
      lifecycle: { preventDestroy: props.allowDataLoss !== true },
    });
  }
}
