// Where the panel is on its host: at the top, or below a path where its proxy has it (setting root_path).

/** That path, as `/light`; empty at the top. All addresses of the panel begin with it, as that of this script does. */
export const ROOT = /^(.*)\/static\//.exec(new URL(import.meta.url).pathname)?.[1] ?? '';
