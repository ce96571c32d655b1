/** IP networks as fields of our kinds. */
import { Type } from 'typebox';
import { rules } from './kind.ts';

/** A network in CIDR notation, with no bits set after the prefix. IPv6 is kept, and of no effect on IPv4 machines. */
export const Cidr = (description: string) =>
  Type.String({
    maxLength: 43,
    description,
    ...rules({
      rule: 'isCIDR(self) && cidr(self).masked() == cidr(self)',
      message: 'must be a network such as 10.42.64.0/20, with no bits set after the prefix',
    }),
  });

/** The name of one of our objects. */
export const Name = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: 253,
    description,
    ...rules({
      rule: "self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')",
      message:
        'must be the name of an object: lower-case letters, digits, - and ., with a letter or digit first and last',
    }),
  });
