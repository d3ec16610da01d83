//! The contracts of the stores of accounts, held by both databases.
//!
//! | file | what it asks |
//! |---|---|
//! | `accounts.rs` | what one caller after another sees |
//! | `admin_cli.rs` | what operators do on the command line |
//! | `administrators.rs` | who may administer |
//! | `directory.rs` | how administrators find accounts |
//! | `ledger_reader.rs` | what administrators read of the ledger |
//! | `event_log.rs` | what administrators read of events |
//! | `changes.rs` | how an account comes by another phone or e-mail address |
//! | `claims.rs` | what becomes of claims that nobody proves |
//! | `emails.rs` | who has an e-mail address, and who has proven it |
//! | `events.rs` | that each change leaves its event |
//! | `networks.rs` | from which networks an account was signed in to |
//! | `months.rs` | that each month of events and of the ledger has its partition (PostgreSQL alone) |
//! | `openings.rs` | which account an address opens, and what a reset changes |
//! | `notices.rs` | the contract of the store of notices |
//! | `outgoing.rs` | the contract of the store of events that go out |
//! | `refusals.rs` | the contract of the store of refusals, and what erasure leaves of them |
//! | `records.rs` | what an export has, and what erasure leaves |
//! | `imports.rs` | lines that no account can be made of, and imports that meet others at work |
//! | `transfer.rs` | many users at once, and what is known of the hashes that they bring |
//! | `unused.rs` | which accounts nobody uses, and what races with their erasure |
//! | `users_cli.rs` | the same by the command line: files, Django projects |
//! | `sessions.rs` | the same for sessions and their refresh tokens |
//! | `own_sessions.rs` | what users do with their own: sessions, password, name |
//! | `races.rs` | what many callers at once see, on two stores over one database |
//! | `faults.rs` | what is answered while PostgreSQL is down, and how soon it is over |
//! | `failover.rs` | PostgreSQL that became read-only, and one with a private authority |
//! | `test_numbers.rs` | a test number goes from account to account |
//! | `poolers.rs` | the stores behind PgBouncer |
//! | `own_server.rs` | servers that a test starts for itself |
//! | `files.rs` | what SQLite leaves on the disk, and how tables come to be |
//! | `ledger.rs` | the contract of the ledger (`LedgerStore`), which shares the database |
//! | `harness.rs` | a fresh database for each test |

mod accounts;
mod admin_cli;
mod administrators;
mod borrowers;
mod changes;
mod claims;
mod directory;
mod emails;
mod event_log;
mod events;
mod failover;
mod faults;
mod files;
mod harness;
mod imports;
mod ledger;
mod ledger_reader;
mod months;
mod networks;
mod notices;
mod openings;
mod outgoing;
mod own_server;
mod own_sessions;
mod poolers;
mod program;
mod races;
mod records;
mod refusals;
mod sessions;
mod test_numbers;
mod tls;
mod transfer;
mod unused;
mod users_cli;

/// Makes each case a test of each database.
macro_rules! on_both_databases {
    ($($room:ident: $($case:ident)*;)*) => {
        mod sqlite {
            $(mod $room {
                $(#[test] fn $case() { crate::harness::on_sqlite(crate::$room::$case); })*
            })*
        }
        mod postgres {
            $(mod $room {
                $(#[test] fn $case() { crate::harness::on_postgres(crate::$room::$case); })*
            })*
        }
    };
}

on_both_databases! {
    accounts:
        an_account_comes_back_as_it_was_made
        an_email_has_one_account_in_whatever_case
        a_failed_registration_leaves_nothing
        a_login_finds_by_email_or_verified_phone
        a_locked_account_says_so
        claims_tell_who_has_and_who_wants_a_phone
        whoever_has_a_phone_is_found_behind_all_who_want_it
        a_claimant_verifies_his_own_claim_alone
        anyone_verifies_a_sole_claim_alone
        a_hash_is_replaced_while_it_is_still_the_old_one;
    administrators:
        a_role_is_granted_to_whoever_has_proven_an_address
        a_role_that_is_taken_away_leaves_no_session_of_it
        the_last_administrator_stays
        of_administrators_that_take_each_other_away_one_remains
        an_administrator_ends_all_sessions_for_good
        an_address_is_confirmed_once_and_only_where_it_is_proven;
    ledger_reader:
        rows_are_filtered_and_come_page_by_page
        messages_add_up_by_country_and_hour;
    event_log:
        what_was_refused_adds_up_by_reason_and_hour
        who_was_refused_is_told_by_network_and_account
        what_was_noted_comes_back_as_it_was
        an_account_that_is_not_there_is_not_named
        events_are_filtered_and_come_page_by_page;
    directory:
        what_begins_alike_is_found_page_by_page
        a_status_leaves_the_others_out
        a_name_that_changed_is_found_by_the_new_one;
    changes:
        a_phone_changes_and_its_owner_is_told_where_they_were
        a_phone_moves_from_whoever_had_it_when_the_code_was_sent
        a_claim_that_another_has_proven_moves_likewise
        an_email_is_taken_from_whoever_never_proved_it
        whoever_is_locked_or_gone_changes_nothing
        of_many_changes_to_one_phone_one_is_made
        of_many_changes_of_one_account_one_is_made
        changes_race_with_proofs_registrations_and_deletions
        a_proven_registration_takes_the_address_of_whoever_never_proved_it
        whoever_loses_an_address_is_told_at_a_proven_phone
        a_test_number_opens_nothing
        of_many_proven_registrations_one_makes_an_account;
    claims:
        a_lapsed_claim_keeps_nobody_up
        two_live_claims_among_lapsed_ones_are_ambiguous
        where_all_have_lapsed_a_sole_claim_still_works
        a_phone_that_was_claimed_anew_is_live_from_then_on
        a_locked_account_proves_nothing_and_holds_nobody_up;
    networks:
        a_network_is_known_once_a_session_was_opened_from_there;
    openings:
        an_address_leads_to_whoever_has_it_proven
        a_proof_with_the_accounts_own_token_opens_it_and_no_other
        a_further_proof_is_noted_where_the_address_is_still_the_accounts
        a_reset_sets_the_password_and_ends_every_session
        a_reset_is_made_only_of_what_was_read
        of_many_resets_at_once_one_is_made
        a_login_that_is_under_way_does_not_outlive_a_reset;
    emails:
        an_email_is_found_by_its_key_whether_or_not_it_is_proven
        an_email_is_verified_once_for_the_account_that_has_it
        of_many_that_verify_an_email_at_once_one_does
        lookups_of_emails_in_parallel_find_their_own;
    transfer:
        many_users_come_and_go_as_they_are
        whoever_is_in_the_way_is_left_out_and_no_other
        whoever_lost_a_phone_has_lost_it_elsewhere_too
        each_cost_of_a_foreign_hash_is_known_once_and_until_it_is_replaced;
    imports:
        whoever_comes_between_is_there_already_or_refuses_a_line;
    events:
        a_change_is_noted_with_who_did_it_from_where
        each_step_of_a_session_is_noted
        what_is_refused_leaves_no_event
        what_changes_nothing_leaves_no_event
        of_many_that_verify_at_once_one_is_noted
        what_is_older_is_purged_so_many_at_a_time;
    notices:
        a_notice_comes_out_as_it_went_in
        a_lease_is_one_instances_until_it_ends
        of_many_that_ask_at_once_each_notice_goes_to_one
        what_is_unknown_or_over_goes_to_nobody;
    outgoing:
        events_go_out_one_after_the_other_for_each_account
        what_is_postponed_holds_up_its_account_alone
        a_webhook_gets_its_kinds_from_where_it_began
        what_is_erased_or_gone_says_so
        many_instances_make_each_event_due_once
        events_of_changes_under_way_are_not_passed_over
        a_replay_sends_what_went_out_since;
    refusals:
        rows_are_written_once
        a_row_whose_account_is_gone_names_nobody
        rows_race_with_erasure;
    unused:
        whoever_never_proved_anything_and_is_idle_goes
        an_account_is_counted_from_its_last_use
        accounts_are_looked_at_so_many_at_a_time
        erasure_races_with_proofs_and_logins;
    records:
        every_column_has_its_place_in_an_export
        an_export_has_all_but_what_proves_who_somebody_is
        erasure_leaves_nothing_of_whose_it_was
        erasure_races_with_all_that_changes_an_account;
    sessions:
        a_session_shows_its_user_and_its_end
        a_token_is_good_once_and_then_for_its_grace
        who_renews_a_session_is_told_as_the_account_is_now
        a_session_is_good_for_the_epoch_of_its_proof_alone
        reuse_of_an_old_token_revokes_the_session
        a_forged_token_revokes_nothing
        what_is_over_does_not_rotate
        a_lock_ends_sessions_for_good
        what_has_ended_is_purged_so_many_at_a_time;
    own_sessions:
        a_list_has_the_live_sessions_the_last_used_first
        a_session_is_ended_by_its_user_once
        of_sessions_that_end_each_other_at_once_one_remains
        one_session_too_many_ends_the_longest_unused
        a_session_that_is_unused_for_too_long_is_over
        a_password_change_keeps_its_own_session_alone
        a_password_change_is_told_to_a_proven_address
        of_many_changes_of_a_password_at_once_one_is_made
        a_password_change_races_with_refreshes_and_logins
        a_profile_is_changed_in_part;
    ledger:
        a_life_adds_up_whatever_the_order_and_however_often
        what_is_known_of_a_challenge_at_first_is_kept
        a_final_status_stays_with_its_error_code
        writers_of_the_same_challenges_add_up
        what_is_told_after_an_erasure_names_nobody
        rows_race_with_erasure
        what_is_old_is_purged_so_many_at_a_time;
    test_numbers:
        accounts_take_a_test_number_from_each_other;
    races:
        two_accounts_race_for_one_phone
        a_sole_claim_is_verified_once
        a_second_claim_races_with_a_verification
        registrations_of_one_email_make_one_account
        rotations_of_one_token_make_one_successor
        reuse_in_parallel_revokes_once_and_for_all
        callers_that_left_leave_nothing_half_done
        lookups_in_parallel_find_their_own;
}
