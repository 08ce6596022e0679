import type { IdentitySet, ListUsersResponse, User } from "../../../clients/typescript/src/index.js";
import { get } from "./api.js";
import { personOf } from "./format.js";

/** The people that the caller may list, and whether there are more. */
export interface People {
  users: User[];
  more: boolean;
}

let reading: Promise<People> | undefined;
let names = new Map<string, string>();

/** Reads the people, once for all who ask until `forget`. */
export function people(): Promise<People> {
  reading ??= get<ListUsersResponse>("/v1/users", { pageSize: 1000 }).then((answer) => {
    const users = answer.users ?? [];
    names = new Map(users.map((user) => [user.id ?? "", user.displayName ?? ""]));
    return { users, more: !!answer.nextPageToken };
  });
  return reading;
}

/** Forgets the people, for another caller. */
export function forgetPeople(): void {
  reading = undefined;
  names = new Map();
}

/** Returns the name of a user by object id; the id where it is not known. */
export const nameOf = (id: string): string => names.get(id) || id;

/** Returns whom a set of identities names. Graph often sends ids alone; the directory knows their names. */
export const whoIs = (set: IdentitySet | undefined): string => nameOf(personOf(set));
