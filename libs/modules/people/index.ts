/**
 * Lets people sign in at their organisation's identity provider, and keeps their sessions: opaque, limited, listed and
 * ended by their owners.
 */
export { PeopleError } from './domain/people.error';
export { PeopleSite } from './http/people-site';
export { PeopleModule } from './people.module';
export { peopleOptions, PeopleOptions } from './people.options';
export { ApproverNames, ChainOpen } from './people.ports';
export { peopleSettings } from './people.settings';
export { People } from './sessions/people';
