/** From what to what a deploy would bring a deployment. */
import type { Program } from '../../config/docker/image-source';
import { DISTRIBUTION_NAMES } from '../../config/vault/vault';
import type { RunningImages } from '../docker/running-images';
import type { DeployedVersions } from '../state/notes/versions-note';

export const PROGRAM_NAMES: Readonly<Record<Program, string>> = {
  ...DISTRIBUTION_NAMES,
  kes: 'KES',
  minio: 'MinIO',
  haproxy: 'HAProxy',
};

export interface VersionChange {
  /** Of what, for people. */
  readonly of: string;
  /** Absent: it is no program of a container. */
  readonly program?: Program;
  readonly from: string;
  readonly to: string;
  /** Images that run now. */
  readonly images: readonly string[];
  /** Whether another version comes, and not the same one in another image. */
  readonly isUpgrade: boolean;
}

/**
 * What a deploy would change. A program without a container, and without a note, is none that changes.
 *
 * @param noted what was deployed last, if that is known
 */
export function versionChanges(
  running: RunningImages,
  noted: DeployedVersions | undefined,
  shipped: DeployedVersions,
): VersionChange[] {
  const changes: VersionChange[] = [];
  for (const [program, to] of Object.entries(shipped.programs) as [Program, { image: string; version: string }][]) {
    const before = noted?.programs[program];
    const images = running[program] ?? (before === undefined ? [] : [before.image]);
    if (images.every((image) => image === to.image)) continue;
    const versions = images.map((image) => versionOf(image, before, to));
    changes.push({
      of: PROGRAM_NAMES[program],
      program,
      from: images.map((image, index) => describeImage(image, versions[index])).join(' and '),
      to: describeImage(to.image, to.version),
      images,
      isUpgrade: versions.some((version) => version !== to.version),
    });
  }
  if (noted === undefined) return changes;
  const others = [
    ['this project', noted.project, shipped.project],
    ['the Terraform provider docker', noted.providers.docker, shipped.providers.docker],
    ['the Terraform provider vault', noted.providers.vault, shipped.providers.vault],
  ] as const;
  for (const [of, from, to] of others) {
    if (from !== to) changes.push({ of, from, to, images: [], isUpgrade: true });
  }
  return changes;
}

type Known = { readonly image: string; readonly version: string } | undefined;

/** The version of an image that runs, where it is known. */
export function versionOf(image: string, ...known: readonly Known[]): string | undefined {
  return known.find((one) => one?.image === image)?.version;
}

/** `v1.21.1 (encrypted-backup-storage/vault:0123456789abcdef)`; an image of a registry is its own version. */
export function describeImage(image: string, version: string | undefined): string {
  if (version === image || image.includes('@sha256:')) return image;
  return `${version ?? 'a version that no deploy has noted'} (${image})`;
}

/** How each that changes comes back, a line for each way. */
export function waysBack(changes: readonly VersionChange[]): string[] {
  const stateless = changes.filter(({ program }) => program !== undefined && !(program in DISTRIBUTION_NAMES));
  const keepers = changes.flatMap(({ program, of }) =>
    program !== undefined && program in DISTRIBUTION_NAMES ? [of] : [],
  );
  return [
    ...(stateless.length === 0
      ? []
      : [
          `back to the version of before, ${stateless.map(({ of }) => of).join(', ')}: name the image of before in ` +
            'images, then ./scripts/up (docs/upgrading.md)',
        ]),
    ...keepers.map(
      (name) =>
        `back to the version of before, ${name}: only by ./scripts/restore, because a newer ${name} may change its data`,
    ),
  ];
}
