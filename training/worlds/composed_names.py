"""Names of fields, verbs and parameters in composed worlds: those that are practised, then those that are held out.

A name that stands there twice is drawn twice as often.
"""

from __future__ import annotations

import re

Pair = tuple[tuple[str, ...], tuple[str, ...]]
"""Names for practice and names that are held out."""

_FIELDS = """
id: id id {noun}_id {noun}_id {noun}_id key code ref {noun}_code {noun}_ref identifier number {noun}_number reference
    record_id guid uuid pk slug {noun}_slug ident short_id | {noun}_no uid {noun}_key serial
label_p: name full_name name name fullname person_name username nickname legal_name who | display_name called
label_i: name title label name item_name description display_title product_name article_name short_name text | caption
    designation
label_c: title subject topic title name summary description reason purpose matter short_text | headline heading
label_r: name title name label place_name site_name room_name sign | caption designation
label_v: name model label device_name model_name tag_name unit_name make | designation callsign
label_e: title name topic subject event_name theme motto occasion program | headline heading
city: city town location place branch site based_in home_city area_name port village region_name office_city origin
    destination | municipality hometown
person: owner assignee manager contact_person host responsible lead author creator assigned_to contact_name
    supervisor_name operator deputy partner_name reviewer | caretaker sponsor_name
date: due_date start_date created date expires opened_on end_date due created_at start finish valid_until
    delivery_date day updated last_seen joined booked_for next_check planned_for since | deadline arrival renewal
count_p: points age visits credits score level orders_count logins years children wins goals absences lessons friends
    followers trips_made stars tasks_done | strikes miles badges
count_i: stock quantity weight size pieces rating units amount length height width in_stock pages_total grams sold
    ordered views downloads serving | copies calories shelf
count_c: hours days items votes pages priority_score minutes_spent attempts weeks files_count replies positions rank
    urgency severity effort people boxes stops | steps comments retries
count_r: capacity seats floor beds area tables_count places level_no doors square_meters length visitors lamps depth
    slots_free plants | windows desks rows
count_v: mileage seats range power speed weight age battery temperature cycles doors capacity hours_used voltage
    pressure kilometers horsepower uptime | wheels payload volume
count_e: seats guests minutes capacity duration visitors participants hours places_left length bookings breaks
    speakers attendance | signups rounds applause
money_p: balance salary debt credit_limit income wage spent owed hourly_rate pension savings paid_total commission pay
    deposit_paid revenue | allowance bonus
money_i: price cost unit_price value list_price purchase_price discount retail_price price_eur net_price worth
    sale_price tax margin | markup tariff
money_c: amount total fee budget sum_due net gross cost value price balance_due paid penalty_fee worth expenses |
    surcharge estimate
money_r: rent rate deposit price monthly_rent nightly_rate cost fee heating_cost cleaning_fee hourly_price daily_price
    | tariff upkeep
money_v: price daily_rate cost value purchase_price rental_fee fuel_cost repair_cost resale_value rate insurance_cost
    hourly_cost tax | upkeep tariff
money_e: price fee cost budget ticket_price entry_fee revenue rent earnings expenses admission total_cost profit |
    cover_charge estimate
flag: verified insured active_flag certified locked heated approved online archived paid enabled confirmed public
    visible urgent shared subscribed billable premium refundable booked signed checked cleaned reviewed featured
    accessible covered connected trained | licensed sealed refurbished encrypted
text_p: email phone website mobile phone_number contact_email mail fax telephone homepage iban badge_code | pager
    handle
text_x: barcode contact_email link pin sku url checksum plate voucher token_code article_code webpage access_code
    lot_code | passphrase tracking
category: category type plan tier color department kind class_name group_name level_name sort size_class section team
    channel variant series genre style priority rank_name mode | segment grade division
status: status state status status phase progress current_status situation state_name step mode lifecycle | condition
    stage
"""
_VERBS = """
list: list list list show all fetch_all get_all list_all read_all overview_of index enumerate | list browse
get: get get get read fetch show get_one load retrieve details_of describe info_on pull query open | get view
find: find find find lookup search look_up search_for query filter match select scan | find locate
count: count count count number_of count_all how_many size_of num total_number_of | count tally
sum: sum sum total add_up sum_up sum_of total_of compute_total_of accumulate | sum aggregate
create: create create create add new register make store open start post submit log enter put | create insert
update: update update update change edit patch alter revise adjust amend write correct | update modify
set: set set set update change put edit switch define write fix choose | set assign
delete: delete delete delete remove drop destroy discard purge trash clear del cancel dispose_of | delete erase
send: send send send notify message send_message_to write_to text contact email tell ping mail | send inform
note: add_note_to annotate note_on comment_on add_comment_to attach_note_to write_note_on append_note_to leave_note_on
    note | remark_on jot_on
tag: tag label add_tags_to set_tags_of set_labels_of add_labels_to apply_tags_to categorize | mark_tags_of tag
increment: add increase add increment add_to inc grow top_up step_up boost | raise bump
export: export export dump export_all download convert extract backup | export save
exists: has is_known check exists is_there contains check_for is_registered test_for | has verify
top: top highest max maximum largest best get_top get_highest | top peak
low: lowest min smallest minimum bottom get_lowest cheapest | lowest least
schedule: remind_about schedule_reminder_for set_reminder_for add_reminder_for create_reminder_for remind_of
    schedule_follow_up_on put_reminder_on | plan_alert_for set_alert_for
"""
_PARAMETERS = """
value: value to new_value new val set_to changed_to state | target replacement
text: text message body msg message_text words lines | content wording
note: note text comment note_text annotation info | remark memo_text
tags: tags labels tag_list names tag_names terms | keywords marks
limit: limit max_results count n max_items how_many first max_count page_size top_k num | at_most top_n
amount: amount by step increment add value number how_much | delta extra
min: min_{f} minimum above min_value {f}_from {f}_min threshold over {f}_above | floor_{f} lower_bound
format: format file_type fmt file_format kind as_type style export_format | encoding output_kind
urgent: urgent important is_urgent high_priority asap now rush | priority_flag express_flag
when: date on when day remind_on due on_date for_date due_on | on_day moment
address: address new_address street mailing_address address_line to_address home_address | postal residence
"""


def _table(text: str) -> dict[str, Pair]:
    pairs = {}
    for line in re.sub(r"\n +", " ", text.strip()).splitlines():
        key, _, names = line.partition(": ")
        practised, _, held_out = names.partition(" | ")
        pairs[key] = tuple(practised.split()), tuple(held_out.split())
    return pairs


FIELD_NAMES = _table(_FIELDS)
"""By the role of a field; `label`, `count` and `money` by the kind of thing, too."""
VERBS = _table(_VERBS)
"""By what a tool does."""
PARAMETERS = _table(_PARAMETERS)
"""By what an argument says."""
