/** Putting images into a registry (OCI distribution specification 1.1, "Push"). */
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { request } from 'undici';
import { blobPath, type Descriptor, INDEX_TYPE } from './image.ts';

/** Docker's own name for an index. */
const DOCKER_LIST_TYPE = 'application/vnd.docker.distribution.manifest.list.v2+json';

/** A manifest or an index, as far as pushing needs to know it. */
interface Document {
  readonly mediaType?: string;
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests?: readonly Descriptor[];
}

const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';

/**
 * Splits `NAME:TAG`, or `NAME` with the tag `latest`.
 * @throws Error when it is not what a registry accepts (distribution specification, "Pulling manifests")
 */
export const parseReference = (text: string): { readonly name: string; readonly tag: string } => {
  const found = text.match(new RegExp(`^(${PART}(?:/${PART})*)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?$`));
  if (found === null) throw new Error(`"${text}" is no NAME:TAG, for example team/app:1.0`);
  return { name: found[1] as string, tag: found[2] ?? 'latest' };
};

/** One repository of a registry, by its base URL `http://host:port`. */
interface Repository {
  readonly registry: string;
  readonly name: string;
}

const refuse = async (response: Awaited<ReturnType<typeof request>>, what: string): Promise<never> => {
  throw new Error(
    `the registry refused ${what}: status ${response.statusCode}: ${(await response.body.text()).slice(0, 300)}`,
  );
};

const pushBlob = async (to: Repository, layout: string, blob: Descriptor): Promise<void> => {
  const base = `${to.registry}/v2/${to.name}/blobs`;
  const present = await request(`${base}/${blob.digest}`, { method: 'HEAD' });
  await present.body.dump();
  if (present.statusCode === 200) return;
  if (!existsSync(blobPath(layout, blob.digest))) throw new Error(`the image lacks its blob ${blob.digest}`);
  const opened = await request(`${base}/uploads/`, { method: 'POST' });
  if (opened.statusCode !== 202) return refuse(opened, `an upload to ${to.name}`);
  await opened.body.dump();
  const location = new URL(String(opened.headers['location']), base);
  location.searchParams.set('digest', blob.digest);
  // The registry names itself by the address it listens on; we reach it by another.
  const { pathname, search } = location;
  const stored = await request(`${to.registry}${pathname}${search}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) },
    body: createReadStream(blobPath(layout, blob.digest)),
  });
  if (stored.statusCode !== 201) return refuse(stored, `the blob ${blob.digest}`);
  await stored.body.dump();
};

const isIndex = (mediaType: string | undefined): boolean =>
  mediaType === INDEX_TYPE || mediaType === DOCKER_LIST_TYPE;

const pushManifest = async (
  to: Repository,
  layout: string,
  manifest: Descriptor,
  tag: string,
): Promise<void> => {
  const content = readFileSync(blobPath(layout, manifest.digest));
  const document = JSON.parse(content.toString('utf8')) as Document;
  for (const child of document.manifests ?? []) await pushManifest(to, layout, child, child.digest);
  for (const blob of [document.config, ...(document.layers ?? [])]) {
    if (blob !== undefined) await pushBlob(to, layout, blob);
  }
  const stored = await request(`${to.registry}/v2/${to.name}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': document.mediaType ?? manifest.mediaType },
    body: content,
  });
  if (stored.statusCode !== 201) return refuse(stored, `the manifest ${tag} of ${to.name}`);
  await stored.body.dump();
};

/**
 * The manifest to push: the layout's only one, or the one for linux/amd64. An index whose other platforms
 * were left out of the archive, as `docker save` does, counts as its linux/amd64 part.
 */
const chooseManifest = (layout: string): Descriptor => {
  const present = ({ digest }: Descriptor): boolean => existsSync(blobPath(layout, digest));
  const choose = (candidates: readonly Descriptor[]): Descriptor => {
    const amd64 = ({ platform }: Descriptor): boolean =>
      platform?.os === 'linux' && platform.architecture === 'amd64';
    const chosen =
      candidates.length === 1 ? candidates[0] : candidates.find((one) => amd64(one) && present(one));
    if (chosen === undefined || !present(chosen))
      throw new Error('the archive holds no image for linux/amd64');
    if (!isIndex(chosen.mediaType)) return chosen;
    const { manifests = [] } = JSON.parse(readFileSync(blobPath(layout, chosen.digest), 'utf8')) as Document;
    return manifests.every(present) ? chosen : choose(manifests);
  };
  const index = JSON.parse(readFileSync(`${layout}/index.json`, 'utf8')) as Document;
  return choose(index.manifests ?? []);
};

/**
 * Pushes the image of an OCI layout folder; what the registry has already is not sent again.
 * @param registry base URL, `http://host:port`
 * @param reference `NAME:TAG`
 * @returns the digest of what was pushed
 * @throws Error when the reference or the layout is none, or the registry refuses
 */
export const pushImage = async (registry: string, layout: string, reference: string): Promise<string> => {
  const { name, tag } = parseReference(reference);
  const manifest = chooseManifest(layout);
  await pushManifest({ registry, name }, layout, manifest, tag);
  return manifest.digest;
};
