"""The conformance rows of the token seam, after the dashboards and daemons it was learnt from, and who shows each of them.

Letters: H who is let in by which credential, W tickets of WebSockets, A the audit trail, M tokens that an outside service
vouches for, P tokens that are renewed and revoked, N what those before us got wrong. Their `mdt_` is our agent key, their
workspace our tenant, and what they kept from `mat_` and from billing is, here, making a credential for a person. Bodies are
ours; statuses and effects count. `case` rows are security cases of machines' keys and of the API's edges.

A test is `file::test` in this folder, or `Target/File.swift::name` below Tests. `differs` says where a row's own status isn't
ours, and why; `uncovered` why nothing shows a row.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    demand: str
    shown: tuple = ()
    differs: str = ""
    uncovered: str = ""


def row(name, demand, *shown, differs="", uncovered=""):
    return Row(name, demand, shown, differs, uncovered)


NO_DRAIN = "the gateway has no drain yet: its secret opens the scope, and no route takes that scope"

ROWS = [
    # --- H: who is let in ---
    row("H1", "what takes no credential asks for none, and nobody is anybody there",
        "test_seam_vectors.py::test_h1_what_takes_no_credential_asks_for_none",
        "GateHTTPTests/RouteWalkTests.swift::every route answers every sender as its kind of access says"),
    row("H2", "a good credential is let in whatever the case of its scheme",
        "test_seam_vectors.py::test_h2_h3_the_scheme_and_the_spaces_around_a_credential",
        "test_node_tokens.py::test_m2_m3_other_schemes_and_prefixes"),
    row("H3", "blanks before and behind it change nothing",
        "test_seam_vectors.py::test_h2_h3_the_scheme_and_the_spaces_around_a_credential"),
    row("H4", "no header, another scheme, no scheme, a wrong credential: 401",
        "test_seam_vectors.py::test_h4_anything_else_is_nobody",
        "test_node_tokens.py::test_m1_no_credential", "test_node_tokens.py::test_m2_m3_other_schemes_and_prefixes"),
    row("H5", "without a provider for it a credential is 401",
        "test_node_tokens.py::test_m8_m16_without_a_fleet_a_node_token_is_unknown",
        "test_environment_secrets.py::test_without_the_variable_there_is_no_shared_key",
        "GateControlTests/AuthenticationTests.swift::"
        "the first provider that recognises a credential decides, and faults of others don't matter"),
    row("H6", "the only provider away: 503; no header then: still 401",
        "test_seam_vectors.py::test_h6_h7_h8_a_fleet_that_is_away_is_no_refusal_and_nobody_elses_outage",
        "test_seam_vectors.py::test_m6_what_was_known_before_goes_on_without_a_store"),
    row("H7", "one provider away, another one knows it: let in",
        "test_seam_vectors.py::test_h6_h7_h8_a_fleet_that_is_away_is_no_refusal_and_nobody_elses_outage",
        "test_seam_vectors.py::test_m6_what_was_known_before_goes_on_without_a_store",
        "GateControlTests/AuthenticationTests.swift::"
        "the first provider that recognises a credential decides, and faults of others don't matter"),
    row("H8", "one provider away, nobody else knows it: 503",
        "test_seam_vectors.py::test_h6_h7_h8_a_fleet_that_is_away_is_no_refusal_and_nobody_elses_outage",
        "test_security_cases.py::test_case_8_a_lost_store_refuses_and_says_so",
        "GateControlTests/AuthenticationTests.swift::"
        "the first provider that recognises a credential decides, and faults of others don't matter"),
    row("H9", "a provider with a fault counts as not knowing: the next one decides, else 401",
        "GateControlTests/AuthenticationTests.swift::"
        "the first provider that recognises a credential decides, and faults of others don't matter",
        differs="from outside no provider of the built gateway can be made to fail in that way"),
    row("H10", "a good credential of another scope: 403",
        "test_environment_secrets.py::test_the_drain_secret_may_drain_and_nothing_else",
        "test_access.py::test_tokens_hold_what_they_say",
        "GateHTTPTests/RouteWalkTests.swift::every route answers every sender as its kind of access says"),
    row("H11", "a path beside the route, or with a slash at its end, is not the route's way in",
        "test_seam_vectors.py::test_h11_a_path_beside_a_route_opens_nothing"),
    row("H12", "a cookie and no credential: 401",
        "test_sign_in.py::test_a_cookie_counts_where_a_route_says_so_and_nowhere_else"),
    row("H13", "42 characters, sixty times a, fifteen times abcd, none: the secret opens nothing and the start goes on",
        "test_environment_secrets.py::test_h13_a_weak_secret_opens_nothing_and_the_gateway_starts"),
    # --- W: tickets ---
    row("W1", "a session gets a ticket of 32 characters or more, for thirty seconds",
        "test_seam_vectors.py::test_w1_w2_a_session_asks_for_a_ticket", "test_tickets.py::test_minting",
        differs="201: something was made"),
    row("W2", "without a session or a token there is none", "test_tickets.py::test_minting",
        "test_seam_vectors.py::test_w1_w2_a_session_asks_for_a_ticket"),
    row("W3", "GET makes none", "test_tickets.py::test_minting"),
    row("W4", "it works once", "test_tickets.py::test_a_ticket_works_once_and_is_never_echoed",
        "GateControlTests/TicketServiceTests.swift::a ticket opens one stream, once, for whoever asked for it"),
    row("W5", "at thirty seconds it is good, at thirty-one it isn't",
        "test_seam_vectors.py::test_w5_a_ticket_lives_thirty_seconds",
        "GateControlTests/TicketServiceTests.swift::it lives thirty seconds"),
    row("W6", "an unknown or an empty one is refused and not logged", "test_tickets.py::test_what_is_no_ticket"),
    row("W7", "a token in the query opens no socket", "test_tickets.py::test_no_token_opens_a_socket"),
    row("W8", "twenty at once, each with its own, get in; of many with one, one does",
        "test_tickets.py::test_twenty_at_once", "test_tickets.py::test_one_ticket_and_many_racers",
        "GateControlTests/TicketServiceTests.swift::"
        "of many who present one ticket at once, on two processes' stores, one wins"),
    row("W9", "two ticket subprotocols, or none that is public: refused", "test_tickets.py::test_the_subprotocols_offered"),
    # --- A: the audit trail ---
    row("A1", "access_token, code and state are in no event",
        "test_audit.py::test_no_secret_is_in_the_trail",
        "GateModelTests/AuditRedactionTests.swift::a secret's name hides whatever stands beside it",
        "GateControlTests/AuditTests.swift::no credential that a caller put into an event reaches the store"),
    row("A2", "a log that can't be written fails no call",
        "test_audit.py::test_a_log_that_can_not_be_written_warns_and_fails_nothing"),
    # --- M: tokens that another service vouches for ---
    row("M1", "no header: 401, on users' and on agents' routes", "test_node_tokens.py::test_m1_no_credential"),
    row("M2", "another scheme and no cookie: 401 on both", "test_seam_vectors.py::test_m2_another_scheme",
        "test_node_tokens.py::test_m2_m3_other_schemes_and_prefixes"),
    row("M3", "a token of another product, its scheme in small letters: 401",
        "test_node_tokens.py::test_m2_m3_other_schemes_and_prefixes",
        differs="schemes have no case here (RFC 9110, section 11.1): the token is what is refused"),
    row("M4", "a JWT that has expired, has another key, none or no subject: 401",
        "test_node_tokens.py::test_m4_a_jwt_is_no_credential",
        differs="no JWT is a credential at all"),
    row("M5", "a forged header about who one is changes nothing", "test_node_tokens.py::test_m5_forged_headers_are_nobodys",
        "test_security_cases.py::test_case_38_headers_that_name_somebody_are_nothing"),
    row("M6", "a remembered token needs no store",
        "test_seam_vectors.py::test_m6_what_was_known_before_goes_on_without_a_store",
        "GateControlTests/FleetNodesTests.swift::M6: a remembered token with a remembered owner needs no store"),
    row("M7", "an unknown token of either kind: 401", "test_node_tokens.py::test_m7_unknown_tokens_of_other_kinds"),
    row("M8", "a node token where no service is named: 401 on both",
        "test_node_tokens.py::test_m8_m16_without_a_fleet_a_node_token_is_unknown"),
    row("M9", "a good one acts as its owner, and it can be seen that it is a node's",
        "test_node_tokens.py::test_m9_a_valid_token_acts_as_its_owner_with_a_nodes_scopes"),
    row("M10", "each of the seven reasons to refuse is the same 401",
        "test_node_tokens.py::test_m10_every_refusal_of_the_fleet_is_the_same_refusal"),
    row("M11", "what is no answer (500, 400, refused, no JSON, given up, no owner) is 503",
        "test_node_tokens.py::test_m11_what_is_no_answer_is_never_a_refusal",
        "test_node_tokens.py::test_m11_valid_without_whom_is_no_answer",
        "test_node_tokens.py::test_m11_a_fleet_that_hangs_is_given_up", "test_node_tokens.py::test_m11_nobody_listens",
        "GateControlTests/FleetNodesTests.swift::"
        "fifty who come at once are one question, and the next one asks when the first gives up"),
    row("M12", "an owner who isn't here: 401; once they are, 200 on the second question",
        "test_node_tokens.py::test_m12_an_owner_that_isnt_here"),
    row("M13", "an owner who can't be looked up: 503", "test_seam_vectors.py::test_m13_an_owner_who_cant_be_looked_up",
        "GateControlTests/FleetNodesTests.swift::M13: an owner who can't be looked up is no refusal"),
    row("M14", "a good token twice is one question", "test_node_tokens.py::test_m14_a_good_token_is_asked_about_once",
        "GateControlTests/FleetNodesTests.swift::M6: a remembered token with a remembered owner needs no store"),
    row("M15", "a bad token twice is two", "test_node_tokens.py::test_m15_a_bad_token_is_asked_about_each_time"),
    row("M16", "a base URL with slashes at its end works, a blank one is none",
        "test_node_tokens.py::test_m16_the_url_by_each_of_its_names",
        "test_node_tokens.py::test_m8_m16_without_a_fleet_a_node_token_is_unknown"),
    row("M17", "neither a node nor a machine makes a credential for a person: 403",
        "test_node_tokens.py::test_m17_a_node_makes_no_human_credential_and_changes_nothing",
        "test_node_tokens.py::test_m17_a_machine_makes_no_human_credential"),
    row("M18", "in another tenant it is 404", "test_node_tokens.py::test_m18_a_node_is_no_other_machine"),
    # --- P: renewing and revoking ---
    row("P1", "renewed with three days left: about ninety days", "test_access.py::test_tokens_renew_as_the_vectors_say"),
    row("P2", "thirty days left, or no end: 200 and not renewed", "test_access.py::test_tokens_renew_as_the_vectors_say"),
    row("P3", "expired or revoked: 401", "test_access.py::test_tokens_renew_as_the_vectors_say",
        differs="somebody else's can't be named: the token in use is the one that is renewed"),
    row("P4", "what isn't a token can't be renewed: 400", "test_seam_vectors.py::test_p4_what_isnt_a_token_isnt_renewed",
        "test_access.py::test_tokens_renew_as_the_vectors_say",
        differs="what nobody recognises (none, no prefix, a JWT) is 401 as on every route; what is recognised, 400"),
    row("P5", "of eight at once one renews, all are 200", "test_access.py::test_tokens_renew_as_the_vectors_say",
        "GateControlTests/TokenScopeTests.swift::of eight renewals at once one wins"),
    row("P6", "nothing remembered outlives the token",
        "test_seam_vectors.py::test_p6_a_remembered_token_ends_with_its_time",
        "GateControlTests/AuthenticationTests.swift::a token ends with its time, also when it is remembered",
        differs="what is remembered has no time of its own: each use compares the token's end, and a revoke drops it"),
    row("P7", "revoking one's own, a second time too: 204", "test_access.py::test_tokens_renew_as_the_vectors_say",
        differs="somebody else's, a missing one and a malformed id are all 404: nothing of that name was ever theirs"),
    # --- N: what those before us got wrong ---
    row("N1", "a store that is away is 503 for every kind of credential",
        "test_seam_vectors.py::test_n1_a_lost_store_is_said_to_every_kind_of_credential",
        "test_security_cases.py::test_case_8_a_lost_store_refuses_and_says_so"),
    row("N2", "a machine's credential makes no person's token: 403",
        "test_node_tokens.py::test_m17_a_machine_makes_no_human_credential",
        "test_access.py::test_programs_make_no_credentials_for_people"),
    row("N3", "X-User-ID beside an agent key is ignored",
        "test_security_cases.py::test_case_38_headers_that_name_somebody_are_nothing"),
    row("N4", "a token of the wrong scope: 403", "test_access.py::test_tokens_hold_what_they_say",
        "test_environment_secrets.py::test_the_drain_secret_may_drain_and_nothing_else"),
    row("N5", "another X-Forwarded-For each time resets no limit",
        "test_seam_vectors.py::test_n5_a_made_up_forwarding_header_is_no_new_source_for_guesses",
        "test_node_tokens.py::test_a_made_up_forwarding_header_is_no_new_source"),
    row("N6", "who didn't ask for a drain can't call it off: 409", uncovered=NO_DRAIN),
    row("N7", "a malformed wish for a drain: 400, and no drain", uncovered=NO_DRAIN),
    row("N8", "no renewal is for longer than the token was made",
        "test_seam_vectors.py::test_n8_a_renewal_is_for_as_long_as_the_token_was_made",
        "GateControlTests/TokenScopeTests.swift::a token is renewed in its last days, for as long as it was made for"),
    row("N9", "a revoke that races a fill of the cache: 401 from then on",
        "test_seam_vectors.py::test_n9_a_revoke_that_races_with_its_use_stays",
        "GateControlTests/AuthenticationTests.swift::a revoked token is refused at once, and its refusal names it"),
    # --- security cases ---
    row("case 1", "ten thousand keys are all different, well-formed and fair, and none is in the store or a log",
        "test_security_cases.py::test_case_1_keys_are_unique_and_kept_nowhere",
        "GateControlTests/CredentialTextTests.swift::"
        "ten thousand keys are all different, well-formed and fair in every bit"),
    row("case 2", "a user's token or a JWT is no agent's: 401", "test_security_cases.py::test_case_2_a_users_token_is_no_agents"),
    row("case 3", "another credential in an agent key's place: 401",
        "test_security_cases.py::test_case_3_other_credentials_are_no_key"),
    row("case 4", "an empty, a short, a huge one or one with a NUL: 401, and the store isn't asked",
        "test_security_cases.py::test_case_4_bad_shapes_are_401",
        "test_security_cases.py::test_case_4_a_mebibyte_is_refused_unread",
        "test_environment_secrets.py::test_what_is_nearly_the_secret_is_nothing",
        "GateControlTests/AuthenticationTests.swift::what can't be a token or an agent key never reaches the store",
        differs="a mebibyte of header is 431, and a NUL in one 400, before anybody looks for a credential"),
    row("case 5", "machine A's key with B's id: 401, and B was not seen", "test_security_cases.py::test_case_5_a_key_is_its_own_machines",
        "test_node_tokens.py::test_an_agent_key_names_no_other_machine"),
    row("case 6", "no list shows a hash, a secret or a token", "test_security_cases.py::test_case_6_no_list_shows_a_secret"),
    row("case 7", "B's key under A's path: 404, and it goes on; a second DELETE: 204, its time unchanged",
        "test_security_cases.py::test_case_7_a_key_is_revoked_under_its_own_machine",
        differs="a malformed id is 404 in the envelope, as everywhere in this API, where the case has 400"),
    row("case 8", "the store away: agents are refused with 503, and no shared key is fallen back to",
        "test_security_cases.py::test_case_8_a_lost_store_refuses_and_says_so",
        "test_seam_vectors.py::test_n1_a_lost_store_is_said_to_every_kind_of_credential"),
    row("case 12", "another tenant's things are unknown ones, byte for byte",
        "test_access.py::test_another_tenants_things_are_unknown_ones"),
    row("case 13", "to a service without a person behind it, too",
        "test_access.py::test_another_tenants_things_are_unknown_ones"),
    row("case 38", "headers that name somebody are ignored",
        "test_security_cases.py::test_case_38_headers_that_name_somebody_are_nothing",
        "test_node_tokens.py::test_m5_forged_headers_are_nobodys"),
    row("case 39", "every kind of credential from an address it may not come from: 403",
        "test_seam_vectors.py::test_case_39_every_kind_of_credential_from_an_address_it_may_not_come_from",
        "test_seam_vectors.py::test_case_39_a_browser_from_an_address_its_user_may_not_come_from",
        "test_access.py::test_tokens_hold_what_they_say", "test_node_tokens.py::test_an_owners_addresses_bind_their_nodes",
        differs="a ticket is refused as every other wrong ticket is, 401; the secrets of the environment have no addresses"),
    row("case 40", "an unknown filter: 400, and no word of the database",
        "test_security_cases.py::test_case_40_unknown_filters_are_400"),
    row("case 41", "every route against every kind of sender; one without a line fails",
        "GateHTTPTests/RouteWalkTests.swift::the table knows every route, and every route of the table is there",
        "GateHTTPTests/RouteWalkTests.swift::every route answers every sender as its kind of access says"),
    row("case 42", "an unknown and a revoked key: the same status, body and time",
        "test_security_cases.py::test_case_42_unknown_and_revoked_keys_look_alike",
        differs="a key of another tenant is no wrong one here: it is a good key of its own machine"),
]  # fmt: skip
